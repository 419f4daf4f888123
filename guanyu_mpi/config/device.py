"""What must hold of the device that a configuration chooses; the ranks find out if it is there."""

from guanyu_mpi.config.sections import WITHOUT_DATA, DeviceSection, ModelSection
from guanyu_mpi.models.device import NAME


def device_faults(device: DeviceSection) -> list[str]:
    """A name that is one."""
    if NAME.fullmatch(device.name):
        return []
    return [f'device.name = {device.name!r}: must be "cpu", "cuda", "cuda:N" or "auto"']


def unused_device_faults(model: ModelSection, device: DeviceSection) -> list[str]:
    """No key without effect."""
    if model.name not in WITHOUT_DATA:
        return []
    default = DeviceSection()
    return [
        f"device.{key} = {value!r} has no effect: model {model.name!r} is computed by numpy"
        for key, value in device
        if value != getattr(default, key)
    ]
