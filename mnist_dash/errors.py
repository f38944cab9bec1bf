"""The exceptions of MNIST Dash, one tree.

Every message says what is wrong, naming the value; then what is allowed; then what to do. It never states a rule as if it held:
"No run 'x'. List runs with `mnist-dash runs`.", "epochs: 1000000000 is too large (1 to 10,000).", "Training failed: ...".

    MnistDashError
    ├── InvalidInput            what a person typed cannot be done; exit code 2
    │   ├── InvalidConfig       a configuration breaks a rule; lists every problem
    │   ├── InvalidStudy        a study breaks a rule; lists every problem
    │   ├── InvalidArchive      a file of runs breaks a rule; none of it was taken
    │   ├── InvalidQuery        a query over runs is misspelt; says where
    │   ├── UnknownRun          no run has this id
    │   ├── UnknownStudy        no study has this id or name
    │   ├── UnknownPreset       no preset has this name
    │   ├── IllegalTransition   the state of a run or a study does not allow this
    │   ├── QuotaExceeded       a person has as much as one may have at a time
    │   └── DeviceUnavailable   the asked device is not on this machine
    ├── NotAllowed              who asks may not do or see this
    ├── DataError               an archive is missing or damaged
    ├── ArtifactError           a stored file is missing or its hash differs
    ├── StoreError              the database cannot be used
    │   ├── StoreUnavailable    it does not answer now; waiting helps
    │   │   └── StoreLocked     another process holds it for too long
    │   ├── StoreTooNew         a newer version of MNIST Dash wrote it
    │   └── ArtifactsElsewhere  this process does not see the artifacts that it names
    ├── StorageUnavailable      files can be neither read nor written now; waiting helps once somebody has seen to it
    │   └── StorageFull         a disk refuses what has to be written
    └── Fenced                  a worker lost its run to another attempt
"""

from __future__ import annotations

from dataclasses import dataclass


class MnistDashError(Exception):
    """Root of everything this package raises on purpose."""


class InvalidInput(MnistDashError):
    """What a person asked for cannot be done; nothing was changed."""


@dataclass(frozen=True)
class Problem:
    """What is wrong in a configuration, said in one template.

    First what is wrong with the value, then what is allowed, then what to do::

        epochs: 1000000000 is too large (1 to 10,000).
        batch_size: a batch of 60,000 is larger than the training part (50,000 images). Choose at most 50,000, or a smaller
        validation split.
    """

    path: str
    """Dotted path of the field, such as ``optimizer.learning_rate`` or ``layers.2.units``."""
    fault: str
    """What is wrong with the value, which it quotes."""
    allowed: str = ""
    """What is allowed; empty where the fault or the remedy says it."""
    remedy: str = ""
    """What to do, a whole sentence; empty where what is allowed says it."""

    @property
    def sentence(self) -> str:
        """The message without the path, for a place where the field is in sight."""
        allowed = f" ({self.allowed})" if self.allowed else ""
        return f"{self.fault}{allowed}." + (f" {self.remedy}" if self.remedy else "")

    def __str__(self) -> str:
        return f"{self.path}: {self.sentence}" if self.path else self.sentence


class InvalidConfig(InvalidInput):
    """A configuration breaks one or more rules, all of them in ``problems``."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class InvalidStudy(InvalidInput):
    """A study's definition breaks one or more rules, all of them in ``problems``."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class InvalidArchive(InvalidInput):
    """A file of runs breaks a rule; nothing of it was taken over."""


class InvalidQuery(InvalidInput):
    """A query over runs cannot be read; `sentence` says why and what to do, `caret` shows where."""

    def __init__(self, sentence: str, *, text: str, start: int, end: int) -> None:
        self.sentence = sentence
        """What is wrong, at which place, and what to do."""
        self.start = start
        """Index of the first character that is wrong; the length of the text where something is missing at its end."""
        self.end = end
        """Index after the last of them."""
        line = "".join(" " if character.isspace() else character for character in text)
        self.caret = f"{line}\n{' ' * start}{'^' * max(1, end - start)}"
        """The query on one line, and below it a mark under what is wrong."""
        super().__init__(f"{sentence}\n\n{self.caret}")


class UnknownStudy(InvalidInput):
    """No study has this id or name."""


class UnknownRun(InvalidInput):
    """No run has this id."""


class UnknownPreset(InvalidInput):
    """No preset has this name."""


class IllegalTransition(InvalidInput):
    """The state of a run, a trial or a study does not allow what was asked."""


class QuotaExceeded(InvalidInput):
    """Who asks has as much in the queue, in training or in studies as one person may."""


class NotAllowed(MnistDashError):
    """Who asks may not do or see this."""


class DeviceUnavailable(InvalidInput):
    """The configuration asks for a device that this machine does not have."""


class DataError(MnistDashError):
    """An archive of a data set is missing or damaged."""


class ArtifactError(MnistDashError):
    """A stored file is missing, or its content does not have the recorded hash."""


class StoreError(MnistDashError):
    """The database cannot be used."""


class StoreUnavailable(StoreError):
    """The database does not answer now: it restarts, cannot be reached, or was busy with somebody else. Waiting helps."""


class StoreLocked(StoreUnavailable):
    """Another process has held the database for longer than the busy timeout, or was faster."""


class StoreTooNew(StoreError):
    """The database was written by a newer version of MNIST Dash."""


class ArtifactsElsewhere(StoreError):
    """The folder of artifacts is another than the one that the database's other processes use."""


class StorageUnavailable(MnistDashError):
    """Files can be neither read nor written now: their place does not answer, or is not mounted. Waiting helps."""


class StorageFull(StorageUnavailable):
    """A disk refuses what has to be written: it is full, read-only or fails. Waiting helps once somebody has seen to it."""


class Fenced(MnistDashError):
    """A worker tried to write a run that another attempt owns by now."""
