"""What is built of a version's kernels: asked for here, done by workers."""

from environments.models import Build, EnvironmentVersion


def ensure(version: EnvironmentVersion) -> list[Build]:
    """Return the builds of the version's kernels, in their order, making those that are missing."""
    builds = [
        Build.objects.get_or_create(
            digest=kernel.digest(version.image),
            defaults={"kernel": kernel.as_json(), "image": version.image},
        )[0]
        for kernel in version.declared
    ]
    version.builds.set(builds)
    return builds
