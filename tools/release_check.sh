#!/usr/bin/env bash
# What a release must pass and is too long for each change: some hours on two cores, root for
# debootstrap's roots, 10 GB in /var/tmp.  Each step runs whatever became of those before it.
#
#   tools/release_check.sh            # all steps; the outcome goes to docs/release-check.md
#   tools/release_check.sh pythons    # only the steps that are named, and no file
set -uo pipefail
cd "$(dirname "$0")/.."

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo --non-interactive "$@"; fi
}

in_debian() {
    as_root tools/debian.sh "$1" demo-rados && as_root tools/debian.sh "$1" test
}

step_pythons() { make pythons; }
step_debian12() { in_debian bookworm; }
step_debian13() { in_debian trixie; }
step_explore() { make explore; }
step_soak() { make soak MINUTES=30; }
step_failover() { make soak MINUTES=30 OSDS=3; }
step_healthy() { CSIJOURNAL_SETS=60 .venv/bin/python -m pytest -q tests/test_compare_rbd.py -k healthy; }
step_bench() { make bench; }

declare -A tells=(
    [pythons]="tests without Ceph on each Python, from the wheel and from the pyz"
    [debian12]="demo-rados and all tests in a Debian 12 root: Python 3.11, Ceph 16"
    [debian13]="demo-rados and all tests in a Debian 13 root: Python 3.13, Ceph 18"
    [explore]="every interleaving of the explorer's scenarios"
    [soak]="30 minutes of kills and freezes on one OSD"
    [failover]="30 minutes of kills and freezes on three OSDs, whose primaries move"
    [healthy]="verify is silent about 1,000 images that are in order"
    [bench]="timings, among them pools of 100,000 and 1,000,000 objects"
)
all=(pythons debian12 debian13 explore soak failover healthy bench)

logs=build/release-check
mkdir -p "$logs"
rows=() failed=0
for step in "${@:-${all[@]}}"; do
    [ -n "${tells[$step]:-}" ] || { echo "release-check: no step $step; there are: ${all[*]}" >&2; exit 2; }
    echo "release-check: $step: ${tells[$step]}; log: $logs/$step.log"
    began=$SECONDS outcome=passed
    "step_$step" >"$logs/$step.log" 2>&1 || { outcome=FAILED failed=1; tail -n 20 "$logs/$step.log"; }
    # What a step says of the versions that it ran on belongs to its outcome.
    versions=$(sed -n 's/^pythons: //p' "$logs/$step.log" | paste -sd ';' | sed 's/;/; /g')
    rows+=("| $step | ${tells[$step]}${versions:+ ($versions)} | $outcome | $(((SECONDS - began + 59) / 60)) min |")
    echo "release-check: $step: $outcome"
done

if [ $# = 0 ]; then
    {
        printf '# The last release check\n\nWritten by `make release-check`, on %s, at commit %s.\n\n' \
            "$(date --utc +%F)" "$(git describe --always --dirty)"
        printf '| step | what runs | outcome | took |\n| --- | --- | --- | ---: |\n'
        printf '%s\n' "${rows[@]}"
    } >docs/release-check.md
fi
exit $failed
