using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Install;

/// <summary>Reads one container of a pod's specification.</summary>
internal static class ContainerReader
{
    /// <summary>What containerd gives a container that says nothing.</summary>
    private static readonly string[] UsualCapabilities =
    [
        "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "NET_RAW", "SETFCAP", "SETGID",
            "SETPCAP", "SETUID", "SYS_CHROOT",
    ];

    public static ContainerPlan Read(Fields container)
    {
        // limits are not enforced; ports say what is there anyway on the host network; the output goes to a log file
        container.WithoutMeaning("imagePullPolicy", "resources", "terminationMessagePath", "terminationMessagePolicy", "ports");
        var name = container.Required("name");
        var command = container.Texts("command");
        if (command.Count == 0)
            container.Refuse("command", "the sandbox reads no images: without a command there is none");
        var plan = new ContainerPlan(name, container.Text("image") ?? "", [.. command, .. container.Texts("args")])
        {
            Environment = [.. container.Children("env").Select(Variable)],
            Mounts = [.. container.Children("volumeMounts").Select(Mount)],
            Startup = Probe(container, "startupProbe"),
            Readiness = Probe(container, "readinessProbe"),
            Liveness = Probe(container, "livenessProbe"),
            Capabilities = UsualCapabilities,
        };
        if (container.Child("securityContext") is { } security)
            plan = Secured(plan, security);
        container.End();
        return plan;
    }

    /// <summary>What the kernel's other guards confine: they are left to tests in which a real runtime runs the image.</summary>
    public static void Confinement(Fields security) => security.WithoutMeaning("seccompProfile", "appArmorProfile", "seLinuxOptions");

    /// <summary>Processes of a sandbox's containers are root.</summary>
    public static void Root(Fields security)
    {
        foreach (var id in (string[])["runAsUser", "runAsGroup"])
            if (security.Number(id) is not (null or 0))
                security.Refuse(id, "containers run as root");
        if (security.Flag("runAsNonRoot") == true)
            security.Refuse("runAsNonRoot", "containers run as root");
    }

    private static ContainerPlan Secured(ContainerPlan plan, Fields security)
    {
        Confinement(security);
        Root(security);
        if (security.Flag("privileged") == true)
            security.Refuse("privileged", "what it needs is to be told one by one");
        if (security.Text("procMount") is not (null or "Default"))
            security.Refuse("procMount", "only Default is known");
        var kept = UsualCapabilities.ToHashSet();
        if (security.Child("capabilities") is { } capabilities)
        {
            foreach (var dropped in capabilities.Texts("drop").Select(Plain))
                if (dropped == "ALL")
                    kept.Clear();
                else
                    kept.Remove(dropped);
            foreach (var added in capabilities.Texts("add").Select(Plain))
                if (added == "ALL")
                    capabilities.Refuse("add", "ALL: what it needs is to be told one by one");
                else
                    kept.Add(added);
            capabilities.End();
        }
        plan = plan with
        {
            Capabilities = [.. kept.Order(StringComparer.Ordinal)],
            ReadOnlyRoot = security.Flag("readOnlyRootFilesystem") ?? false,
            NoNewPrivileges = security.Flag("allowPrivilegeEscalation") == false,
        };
        security.End();
        return plan;
    }

    private static string Plain(string capability) =>
        capability.ToUpperInvariant() is var upper && upper.StartsWith("CAP_", StringComparison.Ordinal) ? upper[4..] : upper;

    private static VariablePlan Variable(Fields variable)
    {
        var name = variable.Required("name");
        var value = variable.Raw("value").Text();
        string? field = null;
        if (variable.Child("valueFrom") is { } source)
        {
            if (source.Child("fieldRef") is { } reference)
            {
                reference.WithoutMeaning("apiVersion");
                field = reference.Required("fieldPath");
                reference.End();
            }
            source.End();
        }
        variable.End();
        return new VariablePlan(name, field is null ? value ?? "" : null, field);
    }

    private static MountPlan Mount(Fields mount)
    {
        var propagation = Propagation.None;
        if (mount.Text("mountPropagation") is { } text && !Enum.TryParse(text, out propagation))
            mount.Refuse("mountPropagation", $"{text} is not known");
        var path = mount.Required("mountPath");
        if (!path.StartsWith('/') || path.Split('/').Contains(".."))
            mount.Refuse("mountPath", "must be absolute");
        var below = mount.Text("subPath") ?? "";
        if (below.StartsWith('/') || below.Split('/').Contains(".."))
            mount.Refuse("subPath", "must be a part of the volume");
        var plan = new MountPlan(mount.Required("name"), path, mount.Flag("readOnly") ?? false, propagation, below);
        mount.End();
        return plan;
    }

    private static ProbePlan? Probe(Fields container, string name)
    {
        if (container.Child(name) is not { } probe)
            return null;
        // the sandbox probes more often than a kubelet would, so that tests are short
        probe.WithoutMeaning("initialDelaySeconds", "periodSeconds", "timeoutSeconds", "successThreshold", "failureThreshold",
            "terminationGracePeriodSeconds");
        ProbePlan? plan = null;
        if (probe.Child("httpGet") is { } get)
        {
            if (get.Text("scheme") is not (null or "HTTP"))
                get.Refuse("scheme", "only HTTP is known");
            plan = new ProbePlan(get.Text("host"), (int)(get.Number("port") ?? 0), get.Text("path") ?? "/");
            get.End();
        }
        probe.End();
        return plan;
    }
}
