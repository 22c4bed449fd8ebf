"""What can be in the audit log: stable codes, for programs and filters, and what each means.

`docs/operators.md` has the same table.
"""

ACTIONS = {
    "build.discarded": "A build that no session has is to be removed.",
    "build.retried": "A build that failed is to be tried again.",
    "environment.changed": "What is said of an environment, or who it is for, was changed.",
    "environment.created": "An environment was made.",
    "environment.deleted": "An environment was deleted.",
    "environment.version_added": "An environment got a new version.",
    "git_credential.created": "A git credential was stored.",
    "git_credential.deleted": "A git credential was deleted.",
    "group.changed": "A group or its permissions were changed.",
    "group.created": "A group was made.",
    "group.deleted": "A group was deleted.",
    "profile.changed": "A resource profile was changed.",
    "profile.created": "A resource profile was made.",
    "profile.deleted": "A resource profile was deleted.",
    "secret.changed": "A secret got a new value.",
    "secret.created": "A secret was stored.",
    "secret.deleted": "A secret was deleted.",
    "session.created": "A session was made and begins to start.",
    "session.deleted": "A session was deleted.",
    "session.environment_updated": "A session takes its environment's newest version.",
    "session.failed": "A session failed.",
    "session.opened": "A session was opened: one browser was let in.",
    "session.renamed": "A session got another name.",
    "session.restarted": "A session that was lost was started again by the service.",
    "session.setup_changed": "What a session starts with was changed.",
    "session.started": "A session that had ended was started.",
    "session.stopped": "A session was stopped.",
    "token.created": "An API token was made.",
    "token.revoked": "An API token was revoked.",
    "user.changed": "A user, their password or their rights were changed.",
    "user.created": "A user was made.",
    "user.deleted": "A user was deleted.",
    "user.signed_out": "Sign-ins of a user were ended.",
    "volume.adopted": "A volume was made of what was there already.",
    "volume.created": "A volume was made.",
    "volume.grown": "A volume is to grow.",
    "volume.removed": "A volume in the trash is to be removed with what it holds.",
    "volume.renamed": "A volume got another name.",
    "volume.restored": "A volume was brought back from the trash.",
    "volume.retried": "A volume that could not be made is to be tried again.",
    "volume.trashed": "A volume was put into the trash.",
    "volume_class.changed": "A class of volumes was changed.",
    "volume_class.created": "A class of volumes was made.",
    "volume_class.deleted": "A class of volumes was deleted.",
}

KINDS = tuple(dict.fromkeys(code.partition(".")[0] for code in ACTIONS))
"""What can be acted on."""
