using Ebpf.Cni.Sandbox.Cluster;

namespace Ebpf.Cni.Sandbox.Tests.Cluster;

/// <summary>A CNI plugin as a shell script: a veth, the next address, a log of what it was asked.</summary>
internal static class FakeCni
{
    private const string Script = """
        #!/bin/bash
        set -eu
        state=$(dirname "$0")/fake
        mkdir -p "$state"
        input=$(cat)
        echo "$CNI_COMMAND $CNI_CONTAINERID $CNI_ARGS $input" >>"$state/calls"
        host=f${CNI_CONTAINERID:0:12}
        case $CNI_COMMAND in
        ADD)
            if [ -e "$state/fail" ]; then
                echo '{"cniVersion":"1.0.0","code":11,"msg":"try again later","details":"as the test wants"}'
                exit 1
            fi
            exec 9>"$state/lock"; flock 9
            n=$(( $(cat "$state/next" 2>/dev/null || echo 1) + 1 )); echo $n >"$state/next"
            ip link add "$host" type veth peer name "$CNI_IFNAME" netns "$CNI_NETNS"
            ip addr add 10.99.0.1/32 dev "$host"; ip link set "$host" up
            ip route add 10.99.0.$n/32 dev "$host"
            nsenter --net="$CNI_NETNS" sh -c "ip addr add 10.99.0.$n/24 dev $CNI_IFNAME && ip addr add fd99::$n/64 dev $CNI_IFNAME nodad && ip link set $CNI_IFNAME up"
            echo "{\"cniVersion\":\"1.0.0\",\"ips\":[{\"address\":\"10.99.0.$n/24\"},{\"address\":\"fd99::$n/64\"}]}" ;;
        DEL) ip link del "$host" 2>/dev/null || true ;;
        esac
        """;

    /// <summary>Gives the node its network configuration: it becomes ready.</summary>
    public static void Install(SandboxNode node)
    {
        var plugin = Path.Combine(node.Directories.CniBinaries, "fake-cni");
        File.WriteAllText(plugin, Script.ReplaceLineEndings("\n"));
        File.SetUnixFileMode(plugin, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var list = Path.Combine(node.Directories.CniConfiguration, "10-fake.conflist");
        File.WriteAllText(list + ".new", """{"cniVersion":"1.0.0","name":"fake","plugins":[{"type":"fake-cni","note":"mine"}]}""");
        File.Move(list + ".new", list);
    }

    public static void Fail(SandboxNode node, bool fail)
    {
        var marker = Path.Combine(node.Directories.CniBinaries, "fake", "fail");
        Directory.CreateDirectory(Path.GetDirectoryName(marker)!);
        if (fail)
            File.WriteAllText(marker, "");
        else
            File.Delete(marker);
    }

    public static IReadOnlyList<string> Calls(SandboxNode node)
    {
        var calls = Path.Combine(node.Directories.CniBinaries, "fake", "calls");
        return File.Exists(calls) ? File.ReadAllLines(calls) : [];
    }
}
