using System.Diagnostics;

namespace Ebpf.Cni.Benchmarks.Rivals;

/// <summary>A pod as any CNI plugin of the routed kind leaves it, made with ip(8).</summary>
internal static class PlainPod
{
    private static readonly string Self = typeof(PlainPod).Assembly.Location;

    /// <summary>The usual wiring: a /32 address, a link-local gateway whose MAC is the host's.</summary>
    public static void Connect(string node, string inside, string name, string address, string mac, int mtu)
    {
        var bytes = mtu.ToString(System.Globalization.CultureInfo.InvariantCulture);
        Ip(check: true, "-n", node, "link", "add", name, "address", mac, "mtu", bytes, "type", "veth", "peer", "name", "eth0", "mtu", bytes,
            "netns", inside);
        Ip(check: true, "-n", node, "link", "set", name, "up");
        Ip(check: true, "-n", node, "route", "add", address + "/32", "dev", name);
        Ip(check: true, "-n", inside, "addr", "add", address + "/32", "dev", "eth0");
        Ip(check: true, "-n", inside, "link", "set", "eth0", "up");
        Ip(check: true, "-n", inside, "neigh", "add", "169.254.1.1", "lladdr", mac, "dev", "eth0", "nud", "permanent");
        Ip(check: true, "-n", inside, "route", "add", "169.254.1.1", "dev", "eth0");
        Ip(check: true, "-n", inside, "route", "add", "default", "via", "169.254.1.1");
    }

    /// <summary>
    /// A role of this program inside, in a session of its own, as a pod's process is: the scheduler shares cores between sessions
    /// (autogroup).
    /// </summary>
    public static Process Spawn(string inside, params string[] role) =>
        Process.Start("ip", ["netns", "exec", inside, "setsid", "taskset", "-c", "0", "dotnet", Self, .. role]);

    /// <exception cref="InvalidOperationException">It failed, and that matters.</exception>
    public static void Ip(bool check, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo("ip", arguments) { RedirectStandardError = true })!;
        var errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        if (check && process.ExitCode != 0)
            throw new InvalidOperationException($"ip {string.Join(' ', arguments)}: {errors.Trim()}");
    }
}
