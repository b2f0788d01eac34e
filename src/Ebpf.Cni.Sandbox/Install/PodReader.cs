using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Install;

/// <summary>Reads the specification of a DaemonSet's pod. What it does not understand it refuses by name, everything at once.</summary>
public static class PodReader
{
    /// <exception cref="FormatException">
    /// Names each field that is not understood, missing, or of a value that a sandbox has no equal for.
    /// </exception>
    public static PodPlan ReadDaemonSet(JsonObject daemonSet)
    {
        ArgumentNullException.ThrowIfNull(daemonSet);
        return Read(daemonSet.At("spec", "template", "spec") as JsonObject
            ?? throw new FormatException($"the DaemonSet {daemonSet.Name()} has no spec.template.spec"));
    }

    /// <inheritdoc cref="ReadDaemonSet"/>
    /// <param name="spec">A pod's spec.</param>
    public static PodPlan Read(JsonObject spec)
    {
        ArgumentNullException.ThrowIfNull(spec);
        var problems = new List<string>();
        var plan = Pod(new Fields(spec, "spec", problems));
        foreach (var container in plan.Preparations.Concat(plan.Containers))
            foreach (var mount in container.Mounts.Where(m => !plan.Volumes.ContainsKey(m.Volume)))
                problems.Add($"{container.Name} mounts the volume {mount.Volume}, which there is not");
        return problems.Count == 0 ? plan : throw new FormatException(
            $"the sandbox cannot run this pod as it is specified: {string.Join("; ", problems)}");
    }

    private static PodPlan Pod(Fields spec)
    {
        // who may be where, and in what order, is settled before a node looks; images are this machine's files
        spec.WithoutMeaning(
            "priorityClassName", "priority", "preemptionPolicy", "tolerations", "nodeSelector", "affinity", "nodeName", "schedulerName",
            "imagePullSecrets", "enableServiceLinks", "serviceAccount");
        if (spec.Flag("hostNetwork") != true)
            spec.Refuse("hostNetwork", "a DaemonSet's pod with a network of its own is an ordinary pod");
        foreach (var shared in (string[])["hostPID", "hostIPC", "shareProcessNamespace"])
            if (spec.Flag(shared) == true)
                spec.Refuse(shared, "the sandbox cannot do that");
        if (spec.Text("dnsPolicy") is not (null or "Default" or "ClusterFirst") and { } dns)
            spec.Refuse("dnsPolicy", $"{dns}: pods on the host network have the node's resolv.conf");
        if (spec.Text("restartPolicy") is not (null or "Always") and { } restart)
            spec.Refuse("restartPolicy", $"{restart} is not for DaemonSets");
        if (spec.Child("securityContext") is { } security)
        {
            ContainerReader.Confinement(security);
            ContainerReader.Root(security);
            security.End();
        }
        var plan = new PodPlan(
            [.. spec.Children("initContainers").Select(ContainerReader.Read)],
            [.. spec.Children("containers").Select(ContainerReader.Read)],
            Volumes(spec.Children("volumes")))
        {
            ServiceAccount = spec.Text("serviceAccountName") ?? "default",
            ServiceAccountToken = spec.Flag("automountServiceAccountToken") ?? true,
            Grace = TimeSpan.FromSeconds(spec.Number("terminationGracePeriodSeconds") ?? 30),
        };
        spec.End();
        return plan;
    }

    private static Dictionary<string, VolumePlan> Volumes(IReadOnlyList<Fields> volumes)
    {
        var found = new Dictionary<string, VolumePlan>();
        foreach (var volume in volumes)
        {
            var name = volume.Required("name");
            VolumePlan? plan = null;
            if (volume.Child("hostPath") is { } host)
                plan = HostPath(host);
            else if (volume.Child("configMap") is { } map)
                plan = ConfigMap(map);
            else if (volume.Child("emptyDir") is { } empty)
                plan = EmptyDirectory(empty);
            volume.End();
            if (plan is not null)
                found[name] = plan;
        }
        return found;
    }

    private static VolumePlan.HostPath HostPath(Fields volume)
    {
        var type = volume.Text("type") ?? "";
        if (type is not ("" or "DirectoryOrCreate" or "Directory" or "FileOrCreate" or "File"))
            volume.Refuse("type", $"{type} is not known");
        var plan = new VolumePlan.HostPath(volume.Required("path"), type);
        volume.End();
        return plan;
    }

    private static VolumePlan.ConfigMap ConfigMap(Fields volume)
    {
        volume.WithoutMeaning("defaultMode"); // its readers are root
        var items = new Dictionary<string, string>();
        foreach (var item in volume.Children("items"))
        {
            item.WithoutMeaning("mode");
            items[item.Required("key")] = item.Required("path");
            item.End();
        }
        var plan = new VolumePlan.ConfigMap(volume.Required("name"), items, volume.Flag("optional") ?? false);
        volume.End();
        return plan;
    }

    private static VolumePlan.EmptyDirectory EmptyDirectory(Fields volume)
    {
        volume.WithoutMeaning("medium", "sizeLimit");
        volume.End();
        return new VolumePlan.EmptyDirectory();
    }
}
