using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Kernel.Host;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Tests.Fixtures;

namespace Ebpf.Cni.Kernel.Tests.Namespaces;

public sealed class NetworkNamespaceTests : PrivilegedTest
{
    private readonly string _directory;

    public NetworkNamespaceTests()
    {
        _directory = Directory.CreateTempSubdirectory("ebc-kernel-netns-").FullName;
        Later(() => Directory.Delete(_directory, recursive: true));
    }

    private string PathFor(string name)
    {
        var path = Path.Combine(_directory, name);
        Later(() => NetworkNamespace.Remove(path));
        return path;
    }

    [Fact]
    public void A_namespace_at_a_path_lives_until_it_is_removed()
    {
        var path = PathFor("a");
        ulong inode;
        using (var created = NetworkNamespace.Create(path))
            inode = created.Inode;
        using (var opened = NetworkNamespace.Open(path))
            Assert.Equal(inode, opened.Inode);
        Assert.Equal(Errno.EEXIST, Assert.Throws<KernelException>(() => NetworkNamespace.Create(path)).Errno);
        NetworkNamespace.Remove(path);
        NetworkNamespace.Remove(path);
        Assert.False(File.Exists(path));
        Assert.Equal(Errno.ENOENT, Assert.Throws<KernelException>(() => NetworkNamespace.Open(path)).Errno);
    }

    [Fact]
    public void Work_runs_inside_and_the_caller_stays_outside()
    {
        using var here = NetworkNamespace.Current();
        using var there = NetworkNamespace.CreateAnonymous();
        Assert.NotEqual(here.Inode, there.Inode);
        var (inside, nested) = there.Run(() =>
        {
            using var current = NetworkNamespace.Current();
            return (current.Inode, here.Run(() =>
            {
                using var outer = NetworkNamespace.Current();
                return outer.Inode;
            }));
        });
        Assert.Equal((there.Inode, here.Inode), (inside, nested));
        using var after = NetworkNamespace.Current();
        Assert.Equal(here.Inode, after.Inode);
    }

    [Fact]
    public void A_namespace_has_a_cookie_of_its_own()
    {
        using var here = NetworkNamespace.Current();
        using var there = NetworkNamespace.CreateAnonymous();
        using var elsewhere = NetworkNamespace.CreateAnonymous();
        Assert.Equal(NetworkNamespace.CurrentCookie(), here.Cookie());
        Assert.Equal(there.Cookie(), there.Run<ulong>(NetworkNamespace.CurrentCookie));
        Assert.Equal(3, new[] { here.Cookie(), there.Cookie(), elsewhere.Cookie() }.Where(c => c != 0).Distinct().Count());
    }

    [Fact]
    public void No_thread_of_the_pool_is_ever_inside()
    {
        using var here = NetworkNamespace.Current();
        using var there = NetworkNamespace.CreateAnonymous();
        Parallel.For(0, 200, i =>
        {
            if (i % 2 == 0)
                there.Run(() => { });
            using var current = NetworkNamespace.Current();
            Assert.Equal(here.Inode, current.Inode);
        });
    }

    [Fact]
    public void A_socket_opened_inside_stays_inside()
    {
        using var there = NetworkNamespace.CreateAnonymous();
        using var listener = there.Run(() =>
        {
            var inside = new TcpListener(IPAddress.Loopback, 0);
            inside.Start();
            return inside;
        });
        var endpoint = (IPEndPoint)listener.LocalEndpoint;
        there.Run(() =>
        {
            using var inside = new TcpClient();
            inside.Connect(endpoint);
        });
        using var outside = new TcpClient();
        Assert.Throws<SocketException>(() => outside.Connect(endpoint));
    }

    [Fact]
    public void A_process_started_inside_is_inside()
    {
        using var there = NetworkNamespace.CreateAnonymous();
        using var process = there.Run(() => Process.Start(new ProcessStartInfo("readlink", ["/proc/self/ns/net"])
        {
            RedirectStandardOutput = true,
        })!);
        Assert.Equal($"net:[{there.Inode}]", process.StandardOutput.ReadToEnd().Trim());
        process.WaitForExit();
    }

    [Fact]
    public void What_the_work_throws_comes_through_with_its_stack()
    {
        using var there = NetworkNamespace.CreateAnonymous();
        var error = Assert.Throws<InvalidDataException>(() => there.Run(Failing));
        Assert.Equal("as the test wants", error.Message);
        Assert.Contains(nameof(Failing), error.StackTrace, StringComparison.Ordinal);
    }

    [Fact]
    public void Asynchronous_work_is_refused()
    {
        using var there = NetworkNamespace.CreateAnonymous();
        Func<Task> work = () => Task.CompletedTask;
        Action run = () => there.Run(work);
        Assert.Throws<ArgumentException>(run);
    }

    [Fact]
    public void A_file_that_is_no_namespace_is_refused()
    {
        var path = Path.Combine(_directory, "plain");
        File.WriteAllText(path, "");
        Assert.Equal(Errno.EINVAL, Assert.Throws<KernelException>(() => NetworkNamespace.Open(path)).Errno);
    }

    [Fact]
    public void Settings_of_the_network_are_the_namespaces()
    {
        using var there = NetworkNamespace.CreateAnonymous();
        const string name = "net.ipv4.conf.lo.rp_filter";
        var outside = Sysctl.Read(name);
        var other = outside == "1" ? "2" : "1";
        there.Run(() =>
        {
            Sysctl.Write(name, other);
            Assert.Equal(other, Sysctl.Read("net/ipv4/conf/lo/rp_filter"));
            Assert.False(Sysctl.Ensure(name, other));
            Assert.True(Sysctl.Ensure(name, "0"));
        });
        Assert.Equal(outside, Sysctl.Read(name));
    }

    private static int Failing() => throw new InvalidDataException("as the test wants");
}
