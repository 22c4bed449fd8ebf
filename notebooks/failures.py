"""The catalogue of reasons: why a session failed or stopped, who can mend it, what to do.

Codes are stable and the same on pages, in the API and in the admin. The sentence with its numbers
is written where the cause is seen and kept with the run; what stands here goes with the code.
"""

from dataclasses import dataclass
from enum import StrEnum


class Mender(StrEnum):
    """Who can mend it."""

    USER = "user"
    OPERATOR = "operator"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """What goes with a code: a title, who can mend it, and what to do next.

    `restart_once`: through no fault of its own, so that the session is started again by itself,
    once. `rescue_once`: likewise, in rescue. `is_of_environment`: its image is at fault, which the
    owner of the environment can mend. `is_of_start`: likewise where it has started no session
    yet.
    """

    title: str
    mender: Mender
    advice: str
    restart_once: bool = False
    rescue_once: bool = False
    is_of_environment: bool = False
    is_of_start: bool = False


REASONS: dict[str, Reason] = {
    "server_exited": Reason(
        title="The notebook server did not start",
        mender=Mender.USER,
        advice=(
            "The last lines of its log say why. A setting in the .jupyter folder of the home is a "
            "usual cause; in rescue the session starts without."
        ),
        is_of_start=True,
    ),
    "server_never_answered": Reason(
        title="The notebook server did not start in time",
        mender=Mender.USER,
        advice=(
            "Start it again. A setting in the .jupyter folder of the home may keep it from "
            "starting; in rescue the session starts without. If neither helps, show the log to an "
            "operator."
        ),
        is_of_start=True,
    ),
    "start_interrupted": Reason(
        title="The start was interrupted",
        mender=Mender.NOBODY,
        advice="It is begun again. If it happens often, tell an operator.",
    ),
    "server_crashed": Reason(
        title="The notebook server crashed",
        mender=Mender.USER,
        advice=(
            "Files are safe, kernels are gone. Start it again; a bigger size helps where it "
            "ran out of memory."
        ),
    ),
    "server_lost": Reason(
        title="The notebook server is gone",
        mender=Mender.USER,
        advice="It was ended from outside. Files are safe. Start it again.",
    ),
    "environment_build_failed": Reason(
        title="The environment could not be built",
        mender=Mender.USER,
        advice=(
            "The log of the build is on the environment's page. Mend its packages in a new "
            "version, or have the build tried again there."
        ),
    ),
    "no_environment_store": Reason(
        title="There is no store for environments",
        mender=Mender.OPERATOR,
        advice=(
            "Choose an environment without packages of its own; an operator has to give the "
            "cluster a store for the others."
        ),
    ),
    "start_refused": Reason(
        title="The server could not be started",
        mender=Mender.OPERATOR,
        advice="An operator has to look at this; the message says at what.",
    ),
    "home_full": Reason(
        title="The home is full",
        mender=Mender.USER,
        advice=(
            "Start it in rescue and delete files, or make the home larger. Then stop it and start "
            "it again."
        ),
        rescue_once=True,
    ),
    "volume_gone": Reason(
        title="A volume is in the trash or gone",
        mender=Mender.USER,
        advice="Restore the volume, or take it out of what the session starts with.",
    ),
    "volume_lost": Reason(
        title="A volume is not where it was kept",
        mender=Mender.OPERATOR,
        advice=(
            "An operator has to look at where it went. Tried again on its page, the volume is "
            "made anew, with nothing in it."
        ),
    ),
    "mount_path_taken": Reason(
        title="Something is where a volume is to be",
        mender=Mender.USER,
        advice="Move or delete it, or choose another path for the volume.",
    ),
    "mount_path_in_use": Reason(
        title="Another session has a volume there",
        mender=Mender.USER,
        advice="Stop that session, or choose another path for the volume.",
    ),
    "mount_read_only_unsupported": Reason(
        title="A volume cannot be read-only here",
        mender=Mender.OPERATOR,
        advice="Attach the volume to be written to; its files are then yours to keep as they are.",
    ),
    "volume_not_growable": Reason(
        title="The volume cannot grow",
        mender=Mender.OPERATOR,
        advice="Make a larger volume, and copy to it what this one holds.",
    ),
    "volume_refused": Reason(
        title="A volume could not be made",
        mender=Mender.OPERATOR,
        advice="An operator has to look at the storage; the message says at what.",
    ),
    "volume_in_use": Reason(
        title="The volume is in use",
        mender=Mender.NOBODY,
        advice="It is removed when what uses it has ended.",
    ),
    "secret_unreadable": Reason(
        title="A secret could not be decrypted",
        mender=Mender.USER,
        advice=(
            "Store its value again on your account page, or ask an operator to bring its key back."
        ),
    ),
    "secrets_too_large": Reason(
        title="The secrets are too large",
        mender=Mender.USER,
        advice="Store smaller values, or pick fewer secrets for a new session.",
    ),
    "secret_missing": Reason(
        title="A secret is not stored any more",
        mender=Mender.USER,
        advice="Store a secret of this name on your account page, and start the session again.",
    ),
    "unschedulable": Reason(
        title="No machine can hold this size",
        mender=Mender.USER,
        advice="Choose another size, or ask an operator for a machine that can hold it.",
    ),
    "namespace_full": Reason(
        title="The cluster has no more for sessions",
        mender=Mender.USER,
        advice="Stop a session that you do not need, choose a smaller size, or try again later.",
    ),
    "pod_patch_refused": Reason(
        title="The size says something that is not allowed",
        mender=Mender.OPERATOR,
        advice="Choose another size, or show the message to an operator.",
    ),
    "policy_refused": Reason(
        title="The cluster's policy forbids this session",
        mender=Mender.OPERATOR,
        advice="Choose another size or environment, or show the message to an operator.",
    ),
    "volume_missing": Reason(
        title="What held a volume is gone",
        mender=Mender.OPERATOR,
        advice="An operator has to look at where it went before the session is started again.",
    ),
    "volume_unbound": Reason(
        title="There is no storage for a volume",
        mender=Mender.OPERATOR,
        advice="An operator has to look at what provides storage in the cluster.",
    ),
    "volume_busy": Reason(
        title="A volume is attached elsewhere",
        mender=Mender.USER,
        advice=(
            "Files are safe. Stop the session that has it, or start this one again in a few "
            "minutes: the cluster then lets go of what was attached to a machine that went away."
        ),
    ),
    "volume_failed": Reason(
        title="A volume could not be attached",
        mender=Mender.OPERATOR,
        advice="Start it again in a while; if that does not help, tell an operator.",
    ),
    "image_invalid": Reason(
        title="The image's name is wrong",
        mender=Mender.OPERATOR,
        advice="Choose another environment; an operator has to mend this one.",
        is_of_environment=True,
    ),
    "image_missing": Reason(
        title="The image does not exist",
        mender=Mender.OPERATOR,
        advice="Choose another environment; an operator has to mend this one.",
        is_of_environment=True,
    ),
    "registry_refused": Reason(
        title="The registry refused the image",
        mender=Mender.OPERATOR,
        advice="Choose another environment; an operator has to mend the access to this one.",
        is_of_environment=True,
    ),
    "image_pull_failed": Reason(
        title="The image could not be pulled",
        mender=Mender.OPERATOR,
        advice="Start it again in a while; if that does not help, tell an operator.",
    ),
    "image_unfit": Reason(
        title="The image cannot run a session",
        mender=Mender.OPERATOR,
        advice="Choose another environment; an operator has to mend the image of this one.",
        is_of_environment=True,
    ),
    "preparation_failed": Reason(
        title="A step before the start failed",
        mender=Mender.OPERATOR,
        advice="Show the message to an operator.",
    ),
    "machine_failed": Reason(
        title="The machine could not run the session",
        mender=Mender.OPERATOR,
        advice="Start it again; if that does not help, tell an operator.",
    ),
    "out_of_memory": Reason(
        title="Out of memory",
        mender=Mender.USER,
        advice=(
            "Files are safe, kernels are gone. Start it again with a bigger size, or load less at "
            "once."
        ),
    ),
    "kernel_out_of_memory": Reason(
        title="A process ran out of memory",
        mender=Mender.USER,
        advice="Restart the kernel and load less at once, or use a session of a bigger size.",
    ),
    "out_of_disk": Reason(
        title="Out of scratch space",
        mender=Mender.USER,
        advice=(
            "Files in the home are safe, kernels are gone. Start it again, and keep big files in "
            "the home."
        ),
    ),
    "evicted": Reason(
        title="Its machine had to be cleared",
        mender=Mender.NOBODY,
        advice="Files are safe, kernels are gone. Start it again.",
        restart_once=True,
    ),
    "preempted": Reason(
        title="More important work took its place",
        mender=Mender.NOBODY,
        advice="Files are safe, kernels are gone. Start it again.",
        restart_once=True,
    ),
    "node_lost": Reason(
        title="Its machine was lost",
        mender=Mender.NOBODY,
        advice="Files are safe, kernels are gone. Start it again.",
        restart_once=True,
    ),
    "backend_unavailable": Reason(
        title="What runs the sessions did not answer",
        mender=Mender.OPERATOR,
        advice="Start it again in a while; if that does not help, tell an operator.",
    ),
    "code_not_found": Reason(
        title="The repository does not exist",
        mender=Mender.USER,
        advice="Look at its URL, and at what of it you asked for.",
    ),
    "code_no_access": Reason(
        title="The repository is not for everyone",
        mender=Mender.USER,
        advice="Choose a git credential for it; your account page keeps them.",
    ),
    "code_no_such_ref": Reason(
        title="The repository has no such branch, tag or commit",
        mender=Mender.USER,
        advice="Look at how it is called there now.",
    ),
    "code_too_large": Reason(
        title="The repository is too large",
        mender=Mender.USER,
        advice="Ask for one folder of it or for fewer commits, or make room in the home.",
    ),
    "code_host_unknown": Reason(
        title="The code's host cannot be reached or trusted",
        mender=Mender.USER,
        advice="Look at the host in its URL; its SSH key or certificate is an operator's to add.",
    ),
    "code_timed_out": Reason(
        title="The repository took too long",
        mender=Mender.USER,
        advice="Ask for one folder of it or for fewer commits, or try again later.",
    ),
    "code_refused": Reason(
        title="The repository was refused",
        mender=Mender.USER,
        advice="The message says what is in the way. Where code may come from is the site's word.",
    ),
    "code_failed": Reason(
        title="The repository could not be fetched",
        mender=Mender.OPERATOR,
        advice="Try again; if that does not help, show the message to an operator.",
    ),
    "code_not_in_rescue": Reason(
        title="Code is not fetched in rescue",
        mender=Mender.USER,
        advice="Stop the session when there is room in its home, and start it again.",
    ),
    "service_stopped": Reason(
        title="Stopped with the service",
        mender=Mender.NOBODY,
        advice="Files are safe. Start it again when you need it.",
    ),
    "stopped_by_operator": Reason(
        title="Stopped by an operator",
        mender=Mender.NOBODY,
        advice="Files are safe. Ask an operator before you start it again.",
    ),
    "deleted": Reason(
        title="Deleted",
        mender=Mender.NOBODY,
        advice="The session is gone. Its volumes stay.",
    ),
    "lifetime_over": Reason(
        title="Its time was over",
        mender=Mender.USER,
        advice="Files are safe, kernels are gone. Start it again, or use a size that may run on.",
    ),
    "idle_stop": Reason(
        title="Stopped, as nothing happened in it",
        mender=Mender.USER,
        advice="Files are safe, kernels are gone. Start it again when you need it.",
    ),
    "owner_disabled": Reason(
        title="The owner's account is disabled",
        mender=Mender.OPERATOR,
        advice="Files are safe. The owner can start it again once the account is enabled.",
    ),
    "shut_down_inside": Reason(
        title="Shut down from inside",
        mender=Mender.NOBODY,
        advice="Start it again when you need it.",
    ),
}

_UNKNOWN = Reason(
    title="Something went wrong",
    mender=Mender.OPERATOR,
    advice="Show the session's events and log to an operator.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What a person is told: the sentence of this very case, with what goes with its code."""

    code: str
    message: str
    title: str
    mender: str
    advice: str


def explain(
    code: str, message: str, *, is_unproven: bool = False, owns_environment: bool = False
) -> Explanation:
    """Put the sentence together with what the catalogue says of its code.

    `is_unproven`: no session has started with its image yet. `owns_environment`: the environment is
    that of the session's owner.
    """
    known = REASONS.get(code, _UNKNOWN)
    mender, advice = known.mender, known.advice
    if known.is_of_start and is_unproven:
        mender = Mender.USER if owns_environment else Mender.OPERATOR
        advice = _OWN_UNPROVEN if owns_environment else _UNPROVEN
    elif known.is_of_environment and owns_environment:
        mender, advice = Mender.USER, _OWN_ENVIRONMENT
    return Explanation(
        code=code, message=message, title=known.title, mender=mender.value, advice=advice
    )


_UNPROVEN = (
    "No session has started with this environment's image yet: it may have no Jupyter that serves "
    "as sessions need it. Choose another environment; an operator has to look at this one. The log "
    "says more. Where the .jupyter folder of the home has settings, try it in rescue first."
)
_OWN_UNPROVEN = (
    "No session has started with your environment's image yet: it may have no Jupyter that serves "
    "as sessions need it. The log says more. Choose another image in a new version of the "
    "environment. Where the .jupyter folder of the home has settings, try it in rescue first."
)
_OWN_ENVIRONMENT = "It is your own environment: choose another image in a new version of it."
