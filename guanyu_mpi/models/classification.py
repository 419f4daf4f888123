"""Cross-entropy of a classifier over batches of images, differentiated by torch."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from guanyu_mpi.errors import ConfigError, DataError, InvariantError
from guanyu_mpi.messages import Vector
from guanyu_mpi.models.classifier import Classifier
from guanyu_mpi.models.device import CPU, Device
from guanyu_mpi.models.flat import FlatParameters
from guanyu_mpi.models.objective import BatchSource, Evaluation, Examples, Images, Labels
from guanyu_mpi.seeds import stream

# Keeps cnnet's activations of an evaluation below 0.2 GB.
CHUNK = 256


class Classification:
    """An objective over a classifier; it owns the flat buffers of parameters and gradient."""

    def __init__(
        self,
        classifier: Classifier,
        batches: BatchSource,
        test: Examples,
        seed: int,
        weight_decay: float = 0.0,
        *,
        device: Device = CPU,
    ) -> None:
        if not len(test):
            raise DataError("the test split is empty: there is nothing to evaluate on")
        _try_out(classifier, test)
        self._classifier = classifier
        self._batches = batches
        self._test = test
        self._seed = seed
        self._weight_decay = np.float32(weight_decay)
        self._flat = FlatParameters(classifier.leaves)
        self._autocast = device.autocast
        forward = classifier.forward
        self._train = torch.compile(forward) if device.compile else forward
        self.dimension = self._flat.values.size

    def gradient(self, params: Vector, worker: int, step: int) -> tuple[float, Vector]:
        """Mean cross-entropy of the batch, and its gradient + weight_decay * params, (d,)."""
        images, labels = _tensors(*self._batches(worker, step))
        self._load(params)
        self._flat.zero_gradient()
        with self._seeded(worker, step):
            logits = self._logits(images)
            loss = cross_entropy(logits, _checked(labels, logits))
            torch.autograd.backward(loss)
        gradient = self._flat.take_gradient()
        if self._weight_decay:
            gradient += self._weight_decay * params
        return loss.item(), gradient

    def evaluate(self, params: Vector) -> Evaluation:
        """Mean cross-entropy and accuracy over the test split."""
        self._load(params)
        loss, right, total = 0.0, 0, len(self._test)
        for start in range(0, total, CHUNK):
            chunk_loss, chunk_right = self._evaluate(start, min(start + CHUNK, total))
            loss += chunk_loss
            right += chunk_right
        return Evaluation(loss / total, right / total)

    def _evaluate(self, start: int, stop: int) -> tuple[float, int]:
        images, labels = _tensors(*self._test.take(np.arange(start, stop)))
        with torch.no_grad():
            logits = self._classifier.forward(images.to(self._classifier.place), False)
            labels = _checked(labels, logits)
            loss = cross_entropy(logits, labels, reduction="sum")
            return loss.item(), int((logits.argmax(1) == labels).sum())

    def _logits(self, images: Tensor) -> Tensor:
        """Logits (b, k) in training, from whose float32 the loss is computed."""
        place = self._classifier.place
        if not self._autocast:
            return self._train(images.to(place), True)
        with torch.autocast(place.type, torch.bfloat16):
            return self._train(images.to(place), True).float()

    def _load(self, params: Vector) -> None:
        if params.shape != (self.dimension,):
            raise InvariantError(f"parameters of shape {params.shape}, not ({self.dimension},)")
        self._flat.load(params)

    def _seeded(self, worker: int, step: int) -> AbstractContextManager[None]:
        if not self._classifier.draws:
            return nullcontext()
        # Dropout must not make a gradient depend on how many were computed before it.
        path = ("model", self._classifier.name, "dropout", worker, step)
        return _seeded(self._classifier.place, int(stream(self._seed, *path).integers(2**63)))


def _tensors(images: Images, labels: Labels) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(images), torch.from_numpy(labels)


@contextmanager
def _seeded(place: torch.device, seed: int) -> Iterator[None]:
    """Within, what is drawn on a device follows from a seed; torch's own state is left alone."""
    cuda = [place.index] if place.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        torch.default_generator.manual_seed(seed)
        for index in cuda:
            torch.cuda.default_generators[index].manual_seed(seed)
        yield


def _checked(labels: Tensor, logits: Tensor) -> Tensor:
    """The labels, none of which may be outside the model's classes (-100 would be skipped), where
    the logits are.
    """
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= logits.shape[1]:
        raise DataError(
            f"labels from {low} to {high} in a batch: the model has classes 0 to "
            f"{logits.shape[1] - 1}"
        )
    return labels.to(logits.device)


def _try_out(classifier: Classifier, test: Examples) -> None:
    """Refuse a model that does not fit the images, before anything is trained."""
    images, _ = _tensors(*test.take(np.arange(1)))
    model, shape = f"model {classifier.name!r}", tuple(images.shape[1:])
    try:
        with torch.no_grad():
            logits = classifier.forward(images.to(classifier.place), False)
    # A user's forward may raise anything; all of it means that model and data do not fit.
    except Exception as error:
        raise ConfigError(
            f"{model} cannot take images of shape {shape}: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(logits, Tensor) or logits.dim() != 2 or len(logits) != 1:
        found = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise ConfigError(
            f"{model} returns {found} for 1 image of shape {shape}: "
            "must return logits of shape (images, classes)"
        )
