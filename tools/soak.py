#!/usr/bin/env python3
"""Real faults on a real cluster, for as long as wanted.

Several processes with several threads each use one journal, another one each round, on a
throwaway Ceph cluster, and write down what they ask before they ask, and what they are told.  The
OSD and the monitor are killed and restarted, or frozen past the clients' timeout, and the processes
themselves are killed or frozen.  Every few minutes all of that stops; recover runs; and every word
that a client was told is held against the others and against what lies in the pool:

    make soak MINUTES=30            # exit status 0: no violation; 1: violations, with the evidence
    python3 tools/soak.py --minutes 30 --seed 7 --workers 4

Control-C ends the load early; what was done until then is still judged.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import soak_load
from cluster import MON, ClusterError, ThrowawayCluster
from cluster_mgr import Shape
from csijournal import CSIJournalError, Store, open_store
from csijournal.check.scan import Depth, Verifier
from csijournal.errors import StoreError
from soak_failover import Failover, TakeOver
from soak_journals import drive, schema_of
from soak_judge import OUTCOMES, Call, History, Ledger, Rest, Violation
from soak_load import Orders

ROUND_SECONDS = 120.0
PROGRESS_SECONDS = 5.0
STOP_SECONDS_MAX = 60.0
VIOLATIONS_SHOWN = 10
JOURNALS = ("groups", "volumes", "snapshots")
LEASE_SIZES = (16, 4, 1, 64)
RECOVERER = "recover"
STUCK = "(OSD restarted: stuck after a freeze)"

# Enough objects to meet each PG of the pool.
_PROBES = 64
_PROBE_SECONDS = 4


@dataclass(frozen=True)
class Scale:
    """How fast things go.

    A client waits `timeout_seconds` for the store.  `grace_seconds` is what recover takes for
    dead, instead of the fifteen minutes of daily life; leases are renewed at a third of it.
    Between two faults there are at most `calm_seconds_max`.
    """

    workers: int = 3
    threads: int = 3
    timeout_seconds: float = 2.0
    grace_seconds: float = 10.0
    calm_seconds_max: float = 2.5


class Crew:
    """The processes that load one journal: the workers, and one that recovers."""

    def __init__(self, url: str, folder: Path, scale: Scale, seed: int, journal: str) -> None:
        self._url = url
        self._journal = journal
        self._folder = folder
        self._scale = scale
        self._seed = seed
        self._incarnations: Counter[str] = Counter()
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self.workers = [f"w{number}" for number in range(scale.workers)]

    def start(self, slot: str) -> None:
        """A new process instead of one that ended, if any."""
        self._incarnations[slot] += 1
        client = f"{slot}.{self._incarnations[slot]}"
        number = self.workers.index(slot) if slot in self.workers else 0
        orders = Orders(
            url=self._url,
            log=str(self._folder / f"{client}.jsonl"),
            slot=slot,
            client=client,
            seed=self._seed,
            threads=0 if slot == RECOVERER else self._scale.threads,
            lease_size=LEASE_SIZES[number % len(LEASE_SIZES)],
            group_commit=number % 2 == 0,
            grace_seconds=self._scale.grace_seconds,
            recovers=slot == RECOVERER,
            journal=self._journal,
        )
        path = self._folder / f"{client}.orders"
        path.write_text(orders.text())
        with (self._folder / f"{client}.stderr").open("wb") as errors:
            self._running[slot] = subprocess.Popen(
                [sys.executable, soak_load.__file__, str(path)],
                stdin=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,  # Control-C at the terminal is not for them.
            )

    def start_all(self) -> None:
        for slot in (*self.workers, RECOVERER):
            self.start(slot)

    def kill(self, slot: str) -> None:
        """End the process by SIGKILL."""
        process = self._running.pop(slot)
        process.kill()
        process.communicate()

    def freeze(self, slot: str) -> None:
        self._running[slot].send_signal(signal.SIGSTOP)

    def thaw(self, slot: str) -> None:
        self._running[slot].send_signal(signal.SIGCONT)

    def stop(self) -> list[Violation]:
        """Let all end by themselves; who does not, or complains, is a violation."""
        for process in self._running.values():
            process.send_signal(signal.SIGCONT)
            if process.stdin:
                process.stdin.close()
        give_up_at = time.monotonic() + STOP_SECONDS_MAX
        found = []
        for slot, process in self._running.items():
            try:
                status = process.wait(max(0.1, give_up_at - time.monotonic()))
            except subprocess.TimeoutExpired:
                found.append(Violation("client does not end", slot))
                continue
            if status:
                found.append(Violation("client died by itself", f"{slot}: exit status {status}"))
        complaints = {path: path.read_text(errors="replace") for path in self._stderr()}
        found += [
            Violation("client complained", f"{p.name}: {t}") for p, t in complaints.items() if t
        ]
        self.close()
        return found

    def close(self) -> None:
        """End by SIGKILL whoever still runs."""
        for slot in tuple(self._running):
            self.kill(slot)

    def _stderr(self) -> list[Path]:
        return sorted(self._folder.glob("*.stderr"))


@dataclass(frozen=True)
class Happened:
    """One fault, by the clock of the clients' logs."""

    kind: str
    begun: int
    ended: int

    def overlaps(self, call: Call) -> bool:
        return self.begun < call.ended and call.begun < self.ended


class Faults:
    """What can go wrong: each kind begins, lasts, and is over when its method returns."""

    def __init__(self, cluster: ThrowawayCluster, crew: Crew, scale: Scale, seed: str) -> None:
        self._cluster = cluster
        self._crew = crew
        self._scale = scale
        self._random = random.Random(seed)  # noqa: S311 - a seed, no secret
        self.happened: list[Happened] = []
        self.now = ""
        self.kinds: dict[str, Callable[[], None]] = {
            "OSD killed, restarted": self._osd_killed,
            "OSD frozen past the timeout": self._osd_frozen,
            "OSD frozen until all give up": self._osd_frozen_long,
            "OSD frozen briefly": self._osd_frozen_briefly,
            "monitor killed, restarted": self._mon_killed,
            "monitor frozen past the timeout": self._mon_frozen,
            "monitor and OSD killed, restarted": self._both_killed,
            "client killed": self._client_killed,
            "client killed, OSD frozen": self._client_killed_osd_frozen,
            "client killed, OSD down": self._client_killed_osd_down,
            "all clients killed": self._all_clients_killed,
            "all clients killed, OSD frozen": self._all_clients_killed_osd_frozen,
            "client frozen past the grace time": self._client_frozen,
            "recover killed": self._recover_killed,
        }

    def cause(self, kind: str) -> None:
        """Let one fault happen, from its beginning to its end."""
        self.now, begun = kind, time.monotonic_ns()
        try:
            self.kinds[kind]()
        finally:
            self.happened.append(Happened(kind, begun, time.monotonic_ns()))
            self.now = ""

    def heal(self) -> None:
        """Start what a fault that was cut short left dead."""
        if not self._cluster.pids(MON):
            self._cluster.start_mon()
        for number, daemon in enumerate(self._cluster.shape.osd_daemons):
            if not self._cluster.pids(daemon):
                self._cluster.start_osd(number)

    def calm(self) -> None:
        """Let clients work for a moment."""
        self._wait(0.5, self._scale.calm_seconds_max)

    def shuffled(self) -> list[str]:
        return self._random.sample(list(self.kinds), len(self.kinds))

    def _wait(self, seconds_min: float, seconds_max: float) -> None:
        time.sleep(self._random.uniform(seconds_min, seconds_max))

    def _wait_past_timeout(self) -> None:
        self._wait(1.2 * self._scale.timeout_seconds, 2.2 * self._scale.timeout_seconds)

    def _osd_killed(self) -> None:
        self._cluster.kill_osd()
        self._wait(0, 1.5 * self._scale.timeout_seconds)
        self._cluster.start_osd()

    def _osd_frozen(self) -> None:
        with self._frozen_osd():
            self._wait_past_timeout()

    def _osd_frozen_long(self) -> None:
        """A call that got no answer asks three times in all before it says so."""
        with self._frozen_osd():
            self._wait(3.2 * self._scale.timeout_seconds, 4.5 * self._scale.timeout_seconds)

    def _osd_frozen_briefly(self) -> None:
        for _ in range(3):
            with self._frozen_osd():
                self._wait(0.1, 0.6 * self._scale.timeout_seconds)
            self._wait(0.05, 0.3)

    def _mon_killed(self) -> None:
        self._cluster.kill_mon()
        self._wait(0, self._scale.timeout_seconds)
        self._cluster.start_mon()

    def _mon_frozen(self) -> None:
        self._cluster.pause_mon()
        try:
            self._wait_past_timeout()
        finally:
            self._cluster.resume_mon()

    def _both_killed(self) -> None:
        self._cluster.kill_mon()
        self._cluster.kill_osd()
        self._wait(0, self._scale.timeout_seconds)
        self._cluster.start_mon()
        self._cluster.start_osd()

    def _client_killed(self) -> None:
        self._replace(self._some_worker())

    def _client_killed_osd_frozen(self) -> None:
        with self._frozen_osd():
            self._wait(0, 1.5 * self._scale.timeout_seconds)
            self._replace(self._some_worker())
            self._wait(0, self._scale.timeout_seconds)

    def _client_killed_osd_down(self) -> None:
        self._cluster.kill_osd()
        self._wait(0, self._scale.timeout_seconds)
        self._replace(self._some_worker())
        self._cluster.start_osd()

    def _all_clients_killed(self) -> None:
        for _ in range(3):
            self._replace(*self._crew.workers)
            self._wait(1.0, 1.5)

    def _all_clients_killed_osd_frozen(self) -> None:
        """What they had sent may be applied when they are dead."""
        with self._frozen_osd():
            self._wait(0, 0.3)
            self._replace(*self._crew.workers)

    def _client_frozen(self) -> None:
        slot = self._some_worker()
        self._crew.freeze(slot)
        try:
            self._wait(1.0 * self._scale.grace_seconds, 1.5 * self._scale.grace_seconds)
        finally:
            self._crew.thaw(slot)
        if self._random.random() < 0.5:  # noqa: PLR2004 - a coin
            self._wait(0, 0.05)
            self._replace(slot)

    def _recover_killed(self) -> None:
        self._replace(RECOVERER)

    def _some_worker(self) -> str:
        return self._random.choice(self._crew.workers)

    def _replace(self, *slots: str) -> None:
        for slot in slots:
            self._crew.kill(slot)
        self._wait(0, 0.5)
        for slot in slots:
            self._crew.start(slot)

    @contextlib.contextmanager
    def _frozen_osd(self) -> Iterator[None]:
        self._cluster.pause_osd()
        try:
            yield
        finally:
            self._cluster.resume_osd()
        self._unstick()

    def _unstick(self) -> None:
        """Restart the OSD if some of its PGs will never answer again.

        A PG whose read lease ran out in the freeze delays its operations until a replica lets it
        go on.  With one OSD there is none, and now and then an operation comes in before the PG
        has renewed the lease by itself; then all wait forever.  This is no matter of clients.
        """
        names = [f"probe-{number}" for number in range(_PROBES)]
        options = urlencode({"conf": self._cluster.conf, "timeout": _PROBE_SECONDS})
        try:
            with open_store(f"rados://{self._cluster.pools[0]}/probes?{options}") as store:
                for _ in store.read_objects(names):
                    pass
        except StoreError:
            self.happened.append(Happened(STUCK, time.monotonic_ns(), time.monotonic_ns()))
            self._cluster.kill_osd()
            self._cluster.start_osd()


@dataclass
class Outcome:
    """What a round, or all rounds together, came to."""

    rounds: int = 0
    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    facts: Counter[str] = field(default_factory=Counter)
    recovered: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    take_overs: list[TakeOver] = field(default_factory=list)

    def add(self, other: Outcome) -> None:
        self.rounds += other.rounds
        self.calls += other.calls
        self.faults += other.faults
        self.facts += other.facts
        self.recovered += other.recovered
        self.violations += other.violations
        self.take_overs += other.take_overs

    @property
    def operations(self) -> int:
        return self.calls.total()

    def count(self, outcome: str) -> int:
        return sum(number for (_, each), number in self.calls.items() if each == outcome)

    def table(self) -> str:
        """The summary that ends a soak."""
        columns = list(dict.fromkeys(OUTCOMES.values()))
        lines = [_row("operations", *columns, "all")]
        for op in sorted({op for op, _ in self.calls}):
            numbers = [self.calls[op, column] for column in columns]
            lines.append(_row(f"  {op}", *numbers, sum(numbers)))
        lines.append(_row("  all", *map(self.count, columns), self.operations))
        lines += ["", "faults", *_lines(self.faults), _line("all", self.faults.total())]
        lines += ["", "cleared up by recover", *_lines(self.recovered)]
        lines += ["", f"facts that the end of {self.rounds} round(s) was judged by"]
        lines += [*_lines(self.facts), "", *self._take_over_lines()]
        lines += [f"violations: {len(self.violations)}"]
        return "\n".join(lines)

    def _take_over_lines(self) -> Iterator[str]:
        """How long the directory took no write after its primary was lost, by fault."""
        for kind in sorted({each.fault for each in self.take_overs}):
            seconds = sorted(each.seconds for each in self.take_overs if each.fault == kind)
            yield (
                f"{kind}: {len(seconds)} times, writes again after"
                f" {seconds[len(seconds) // 2]:.1f} s (median), {seconds[-1]:.1f} s (longest)"
            )


def _row(title: str, *cells: object) -> str:
    texts = [f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in cells]
    return f"{title:14}" + "".join(f"{text:>14}" for text in texts)


def _line(title: str, number: int) -> str:
    return f"  {title:42}{number:>14,}"


def _lines(counts: Counter[str]) -> list[str]:
    return [_line(title, number) for title, number in counts.items()]


class Round:
    """Load and faults on one empty namespace, and then the judgement.

    `folder` is made for the logs, and stays.  `say` gets a line of progress every few seconds.
    """

    def __init__(
        self,
        cluster: ThrowawayCluster,
        folder: Path,
        scale: Scale,
        *,
        seed: int,
        number: int = 1,
        journal: str = JOURNALS[0],
        say: Callable[[str], None] = print,
    ) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._cluster = cluster
        self._number = number
        self._journal = journal
        self._say = say
        self._place = (
            f"rados://{cluster.pools[0]}/{folder.name}?{urlencode({'conf': cluster.conf})}"
        )
        self._crew = Crew(
            f"{self._place}&timeout={scale.timeout_seconds}", folder, scale, seed + number, journal
        )
        self._ledger = Ledger(folder)
        self.faults = Faults(cluster, self._crew, scale, f"{seed} {number}")
        directory = schema_of(journal).directory_object("default")
        self.failover = Failover(cluster, folder.name, directory)
        if cluster.shape.osds > 1:
            self.faults.kinds |= self.failover.kinds
        self._begun = time.monotonic()
        self.interrupted = False

    def run_for(self, seconds: float) -> Outcome:
        """Every kind of fault in a random order, again and again until the time is over."""
        until = self._begun + seconds

        def kinds() -> Iterator[str]:
            while time.monotonic() < until:
                for kind in self.faults.shuffled():
                    if time.monotonic() < until:
                        yield kind

        return self.run_faults(kinds())

    def run_faults(self, kinds: Iterable[str]) -> Outcome:
        """These faults, one after the other."""
        try:
            self._crew.start_all()
            with self._progress():
                self._cause(kinds)
            violations = self._crew.stop()
        finally:
            self._crew.close()
        return self._judge(violations)

    def _cause(self, kinds: Iterable[str]) -> None:
        try:
            for kind in kinds:
                self.faults.calm()
                self.faults.cause(kind)
            self.faults.calm()
        except KeyboardInterrupt:
            self.interrupted = True
            self.faults.heal()

    # Progress

    @contextlib.contextmanager
    def _progress(self) -> Iterator[None]:
        over = threading.Event()
        teller = threading.Thread(target=self._tell, args=(over,))
        teller.start()
        try:
            yield
        finally:
            over.set()
            teller.join()

    def _tell(self, over: threading.Event) -> None:
        while not over.wait(PROGRESS_SECONDS):
            told = Counter(OUTCOMES[call.told] for call in self._ledger.calls())
            minutes, seconds = divmod(int(time.monotonic() - self._begun), 60)
            self._say(
                f"round {self._number}  {minutes}:{seconds:02}"
                f"  {told['acknowledged']:7,} acknowledged, {told['unknown']:4} unknown,"
                f" {len(self.faults.happened):3} faults; {self.faults.now or 'calm'}"
            )

    # Judgement

    def _judge(self, violations: list[Violation]) -> Outcome:
        history = History(self._ledger.calls())
        recovered: Counter[str] = Counter()
        for call in history.calls:
            if call.op == "recover":
                recovered.update(_sizes(call.did))
        with open_store(self._place) as store:
            violations += self._clear_up(store, history, recovered)
            rest = Rest.of(store, schema_of(self._journal))
        violations += [*history.violations(), *history.violations_at_rest(rest)]
        if violations:
            (self._folder / "rest.json").write_text(json.dumps(asdict(rest), indent=1))
            faults = [asdict(fault) for fault in self.faults.happened]
            (self._folder / "faults.json").write_text(json.dumps(faults, indent=1))
        return Outcome(
            rounds=1,
            calls=Counter((call.op, OUTCOMES[call.told]) for call in history.calls),
            faults=Counter(fault.kind for fault in self.faults.happened),
            facts=Counter(history.facts()),
            recovered=recovered,
            violations=[self._evidence(violation) for violation in violations],
            take_overs=self.failover.take_overs,
        )

    def _clear_up(
        self, store: Store, history: History, recovered: Counter[str]
    ) -> Iterator[Violation]:
        """What an operator does after a bad night; it must leave nothing to complain about."""
        journal = drive(self._journal, store, grace_seconds=0)
        for _ in range(2):
            recovered.update(_sizes(asdict(journal.recover(0))))
        for name in history.names:
            try:
                journal.check(name)
            except CSIJournalError as error:
                yield Violation("check fails at rest", f"{name}: {error}")
        left = _sizes(asdict(journal.recover(0)))
        if left.total():
            yield Violation("third recover still finds something", str(dict(left)))
        if self._journal != JOURNALS[0]:
            return  # verify would miss the images, which nobody made
        verifier = Verifier(store, depth=Depth.FULL, grace_seconds=0, settle_seconds=0)
        for finding in verifier.findings():
            yield Violation("deep verify finds something", str(finding))

    def _evidence(self, violation: Violation) -> str:
        during = [
            f"    during: {fault.kind}, {fault.begun / 1e9:.3f} to {fault.ended / 1e9:.3f}"
            for fault in self.faults.happened
            if any(call.op != "recover" and fault.overlaps(call) for call in violation.calls)
        ]
        return "\n".join([str(violation), *during])


def _sizes(did: dict[str, object]) -> Counter[str]:
    """How many of each thing a run of recover dealt with."""
    return Counter(
        {
            what.replace("_", " "): len(found) if isinstance(found, list) else int(str(found))
            for what, found in did.items()
        }
    )


def soak(minutes: float, seed: int, scale: Scale, logs: Path, *, osds: int = 1) -> Outcome:
    """Rounds until the time is over, or until one finds a violation."""
    total = Outcome()
    until = time.monotonic() + 60 * minutes
    with ThrowawayCluster(shape=Shape(osds=osds)) as cluster:
        while total.rounds == 0 or (time.monotonic() < until and not total.violations):
            number = total.rounds + 1
            folder = logs / f"round-{number}"
            this = Round(
                cluster,
                folder,
                scale,
                seed=seed,
                number=number,
                journal=JOURNALS[total.rounds % len(JOURNALS)],
                say=_say,
            )
            total.add(this.run_for(min(ROUND_SECONDS, until - time.monotonic())))
            _say(f"round {number}  judged: {len(total.violations)} violations")
            if not total.violations:
                shutil.rmtree(folder)
            if this.interrupted:
                break
    return total


def _say(line: str) -> None:
    if sys.stdout.isatty():
        print(line, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Real faults on a real cluster.")
    parser.add_argument("--minutes", type=float, default=10, help="how long (default: 10)")
    parser.add_argument("--seed", type=int, help="of faults and load (default: a random one)")
    parser.add_argument("--workers", type=int, default=3, help="processes (default: 3)")
    parser.add_argument("--threads", type=int, default=3, help="in each process (default: 3)")
    parser.add_argument("--osds", type=int, default=1, help="with 3, primaries move (default: 1)")
    return parser


def main() -> int:
    """Run the command line; return its exit status."""
    args = _parser().parse_args()
    seed = secrets.randbelow(1_000_000) if args.seed is None else args.seed
    scale = Scale(workers=args.workers, threads=args.threads)
    logs = Path(tempfile.mkdtemp(prefix="csijournal-soak-"))
    print(f"soak for {args.minutes:g} minutes, seed {seed}", flush=True)
    try:
        total = soak(args.minutes, seed, scale, logs, osds=args.osds)
    except (ClusterError, StoreError) as error:
        print(f"soak: the cluster failed, which says nothing about the journal: {error}")
        print(f"The logs until then: {logs}")
        return 2
    print(f"\n{total.table()}")
    if not total.violations:
        shutil.rmtree(logs)
        return 0
    for evidence in total.violations[:VIOLATIONS_SHOWN]:
        print(f"\n{evidence}")
    print(f"\nAll logs, and what lay in the pool: {logs}; again: --seed {seed}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
