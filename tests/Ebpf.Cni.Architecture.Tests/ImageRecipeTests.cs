using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Architecture.Tests;

/// <summary>No engine is needed to see that a Dockerfile cannot work.</summary>
public sealed class ImageRecipeTests
{
    private static string Dockerfile => Read("Dockerfile");

    [Fact]
    public void Whatever_the_image_is_made_of_exists_is_pinned_and_is_made_by_makes_own_scripts() => Assert.Empty(Problems(Dockerfile));

    [Theory]
    [InlineData("FROM debian:12.12-slim AS bpf", "FROM debian:latest AS bpf", "debian:latest is not pinned")]
    [InlineData("FROM debian:12.12-slim AS bpf", "FROM debian AS bpf", "debian is not pinned")]
    [InlineData("FROM debian:12.12-slim AS bpf", "FROM debian:12 AS bpf", "debian:12 is not pinned")]
    [InlineData("COPY bpf/ bpf/", "COPY ebpf/ bpf/", "ebpf is copied and does not exist")]
    [InlineData("COPY bpf/ bpf/", "COPY docs/ bpf/", "docs is copied and kept out by .dockerignore")]
    [InlineData("COPY --from=bpf", "COPY --from=objects", "COPY --from=objects: there is no such stage")]
    [InlineData("COPY --from=rootfs", "COPY --from=later", "COPY --from=later: there is no such stage")]
    [InlineData("RUN scripts/image-rootfs.sh", "RUN scripts/rootfs.sh", "scripts/rootfs.sh is run and does not exist")]
    [InlineData("RUN scripts/image-rootfs.sh", "RUN scripts/kernel-check.c", "scripts/kernel-check.c is run and is not executable")]
    [InlineData("RUN scripts/image-rootfs.sh", "RUN scripts/leftovers.sh",
        "scripts/leftovers.sh is run for the image and by no target of make")]
    public void What_is_wrong_is_found(string right, string wrong, string problem)
    {
        Assert.Contains(right, Dockerfile, StringComparison.Ordinal);
        Assert.StartsWith(problem, Assert.Single(Problems(Dockerfile.Replace(right, wrong, StringComparison.Ordinal))),
            StringComparison.Ordinal);
    }

    /// <summary>The compiler ends with an error for want of such a file.</summary>
    [Fact]
    public void Files_that_every_build_reads_are_copied()
    {
        var files = Read("Directory.Build.targets").Split("Include=\"$(RepositoryRoot)").Skip(1).Select(f => f[..f.IndexOf('"')]).ToList();
        Assert.NotEmpty(files);
        Assert.All(files, f =>
            Assert.Matches($"COPY [^\n]*\\b{f.Split('/')[0].Replace(".", "\\.", StringComparison.Ordinal)}[ /]", Dockerfile));
    }

    [Fact]
    public void The_image_is_what_the_script_put_together_and_nothing_else()
    {
        var last = Dockerfile[Dockerfile.LastIndexOf("FROM ", StringComparison.Ordinal)..];
        Assert.StartsWith("FROM scratch\n", last, StringComparison.Ordinal);
        Assert.DoesNotContain("RUN", last, StringComparison.Ordinal);
        Assert.Contains("COPY --from=rootfs /src/build/image/rootfs/ /\n", last, StringComparison.Ordinal);
        Assert.Contains("ENTRYPOINT [\"/opt/ebpf-cni/ebpf-cni-agent\"]", last, StringComparison.Ordinal);
        Assert.All(["title", "description", "licenses", "source", "version", "revision"],
            l => Assert.Contains($"org.opencontainers.image.{l}=", last, StringComparison.Ordinal));
    }

    private static IEnumerable<string> Problems(string dockerfile) =>
        new ImageRecipe(dockerfile, Read(".dockerignore")).Problems(Repository.Root, Read("Makefile"));

    private static string Read(string name) => File.ReadAllText(Path.Combine(Repository.Root, name));
}
