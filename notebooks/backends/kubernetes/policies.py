"""Which policy forbids an image, by what a registry, a node or an admission plugin said. Pure.

The words are those of Harbor, Artifactory with Xray, Nexus, containers/image (CRI-O, Podman),
containerd's image verifiers, ImagePolicyWebhook, Kyverno, Gatekeeper, Sigstore's policy-controller,
Binary Authorization and ValidatingAdmissionPolicy, and what people write into policies of their
own.
"""

import re

_REFUSAL = (
    r"\b(?:block|den(?:y|ie)|disallow|forbid|prevent|prohibit|quarantin|refus|reject|violat)\w*"
)
_POLICY = r"\bpolic(?:y|ies)\b"

POLICY = re.compile(
    # A cloud's access control is no policy about images: to it a registry is closed.
    r"(?is)\A(?!.*\b(?:identity|resource)-based policy)"
    rf".*?(?:{_REFUSAL}.{{0,200}}?{_POLICY}|{_POLICY}.{{0,200}}?{_REFUSAL}"
    rf"|failed {_POLICY}|not (?:allowed|permitted|accepted) by .{{0,80}}?{_POLICY}"
    rf"|due to (?:\w+ ){{0,2}}{_POLICY}"
    r"|\bbinary authorization\b|\bimage verifier\b.{0,200}?\bblocked\b"
    r"|\badmission webhook\b.{0,200}?\bdenied\b|projectpolicyviolation|item is quarantined)"
)

_WORDS = "a|an|and|at|because|by|configured|for|from|has|in|is|of|on|that|the|this|to|which|with"
_NAME = rf"""["'`]?(?!(?:{_WORDS})\b)([A-Za-z0-9](?:[\w./-]{{0,98}}\w)?)"""

_NAMES = tuple(
    re.compile(form)
    for form in (
        r"ValidatingAdmissionPolicy '([^']{1,100})'",
        r"due to the following policies:?\s+([\w.-]{1,100}):",
        r'admission webhook "[^"]+" denied the request: \[([\w.-]{1,100})\]',
        r"(?i)policy in '([^']{1,200})'",
        r"""(?i)polic(?:y|ies):? "([^"]{1,100})\"""",
        r"""(?i)polic(?:y|ies):? ['`]([^'`]{1,100})['`]""",
        r"""(?i)"([^"]{1,100})" policy""",
        rf"(?i)(?:failed|by|violates|violating) (?:the )?(?:image )?policy:? {_NAME}",
        rf"(?i)\bpolicy: {_NAME}",
        rf"(?i)\bpolicy {_NAME} (?:has )?{_REFUSAL}",
    )
)


def policy_name(said: str) -> str:
    """Return the name of the policy that this speaks of; empty if it names none."""
    found = (form.search(said) for form in _NAMES)
    return next((each[1].strip() for each in found if each), "")


def policy_in(said: str) -> str:
    """Name the policy that this speaks of, as the subject of a sentence."""
    name = policy_name(said)
    return f"The policy “{name}”" if name else "A policy of the cluster or the registry"
