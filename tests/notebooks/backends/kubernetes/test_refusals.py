"""Why the API server would not create something."""

import pytest

from notebooks.backends.kubernetes.refusals import refusal
from tests.notebooks.backends.kubernetes.recordings import refused


@pytest.mark.parametrize(
    ("case", "code", "message"),
    [
        (
            "quota_memory",
            "namespace_full",
            (
                "Sessions may use 100 MiB of memory of this cluster in all; 0 MiB of memory is in "
                "use, and this one needs 1.0 GiB of memory."
            ),
        ),
        (
            "quota_pods_cpu",
            "namespace_full",
            (
                "Sessions may use 0.15 CPU of this cluster in all; 0.1 CPU is in use, and this one "
                "needs 0.1 CPU."
            ),
        ),
        (
            "quota_unspecified",
            "start_refused",
            (
                "The quota of the cluster demands what this size does not set: "
                "limits.cpu,requests.memory."
            ),
        ),
        (
            "no_service_account",
            "start_refused",
            "The service account “nobody” that this size names does not exist.",
        ),
        (
            "no_priority_class",
            "start_refused",
            "The priority class “nothing” that this size names does not exist.",
        ),
        (
            "limit_range",
            "start_refused",
            (
                "The cluster allows a container at most 32 MiB of memory; this size has 64 MiB of "
                "memory."
            ),
        ),
        (
            "invalid",
            "start_refused",
            "The cluster calls what was asked for invalid: spec.nodeSelector: Invalid value.",
        ),
        (
            "no_namespace",
            "start_refused",
            "The namespace of the sessions does not exist or is being removed.",
        ),
        (
            "terminating",
            "start_refused",
            "The namespace of the sessions does not exist or is being removed.",
        ),
    ],
)
def test_what_a_real_cluster_refused(case: str, code: str, message: str) -> None:
    answer = refused()[case]
    assert refusal(answer["code"], answer["reason"], answer["message"]) == (code, message)


# After the admission plugins of Kubernetes 1.33, and Kyverno's and Gatekeeper's webhooks.
@pytest.mark.parametrize(
    ("said", "code", "message"),
    [
        (
            (
                'pods "nb-1" is forbidden: violates PodSecurity "restricted:latest": '
                'allowPrivilegeEscalation != false (container "agent" must set '
                "securityContext.allowPrivilegeEscalation=false)"
            ),
            "policy_refused",
            (
                "The Pod Security Standard “restricted” forbids it: allowPrivilegeEscalation != "
                'false (container "agent" must set securityContext.allowPrivilegeEscalation=false).'
            ),
        ),
        (
            (
                'admission webhook "validate.kyverno.svc-fail" denied the request: Images come '
                "from our own registry."
            ),
            "policy_refused",
            "A policy of the cluster forbids it.",
        ),
        (
            (
                "pods \"nb-1\" is forbidden: ValidatingAdmissionPolicy 'size' with binding 'all' "
                "denied request: At most 8 CPU."
            ),
            "policy_refused",
            "A policy of the cluster forbids it.",
        ),
        (
            (
                'admission webhook "validate.kyverno.svc-fail" denied the request: \n\nresource '
                "Pod/sessions/nb-1 was blocked due to the following policies \n\n"
                "restrict-registries:\n  check: 'validation error: unknown image registry.'"
            ),
            "policy_refused",
            "The policy “restrict-registries” of the cluster does not allow the image.",
        ),
        (
            (
                'admission webhook "validation.gatekeeper.sh" denied the request: '
                "[image-must-have-digest] container <notebook> uses an image without a digest"
            ),
            "policy_refused",
            "The policy “image-must-have-digest” of the cluster does not allow the image.",
        ),
        (
            (
                "pods \"nb-1\" is forbidden: ValidatingAdmissionPolicy 'registries' with binding "
                "'all' denied request: The image is not from our registry."
            ),
            "policy_refused",
            "The policy “registries” of the cluster does not allow the image.",
        ),
        (
            (
                'admission webhook "policy.sigstore.dev" denied the request: validation failed: '
                "failed policy: signed-by-us: spec.containers[0].image no matching signatures"
            ),
            "policy_refused",
            "The policy “signed-by-us” of the cluster does not allow the image.",
        ),
        (
            (
                'pods "nb-1" is forbidden: image policy webhook backend denied one or more images: '
                "not signed"
            ),
            "policy_refused",
            "The image policy of the cluster does not allow this image.",
        ),
        (
            'pods "nb-1" is forbidden: PodSecurityPolicy: unable to admit pod: []',
            "policy_refused",
            "A policy of the cluster forbids it.",
        ),
        (
            (
                'pods "nb-1" is forbidden: exceeded quota: gpus, requested: '
                "requests.nvidia.com/gpu=1, used: requests.nvidia.com/gpu=4, "
                "limited: requests.nvidia.com/gpu=4"
            ),
            "namespace_full",
            (
                "Sessions may use 4 GPU of this cluster in all; 4 GPU is in use, and this one "
                "needs 1 GPU."
            ),
        ),
        (
            (
                'pods is forbidden: User "system:serviceaccount:a:b" cannot create resource "pods" '
                'in API group "" in the namespace "a"'
            ),
            "start_refused",
            "This service has no right to create it in the cluster.",
        ),
        ("something new", "start_refused", "The cluster did not create it (403 Forbidden)."),
    ],
)
def test_what_other_clusters_refuse(said: str, code: str, message: str) -> None:
    assert refusal(403, "Forbidden", said) == (code, message)
