namespace Ebpf.Cni.Sandbox.Store;

/// <summary>One kind of object that the API serves, as discovery describes it.</summary>
public sealed record ResourceType(string Group, string Version, string Plural, string Kind, bool Namespaced)
{
    public string Singular { get; } = Kind.ToLowerInvariant();

    public IReadOnlyList<string> ShortNames { get; init; } = [];

    public IReadOnlyList<string> Categories { get; init; } = [];

    /// <summary>Has a status subresource: then a write to the object leaves its status alone, and the reverse.</summary>
    public bool HasStatus { get; init; }

    public bool HasScale { get; init; }

    public string ApiVersion => Group.Length == 0 ? Version : Group + "/" + Version;

    /// <summary>The name as error messages spell it: "pods", "deployments.apps".</summary>
    public string QualifiedName => Group.Length == 0 ? Plural : Plural + "." + Group;

    public bool Equals(ResourceType? other) => ReferenceEquals(this, other);

    public override int GetHashCode() => System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(this);
}

/// <summary>Every kind the sandbox serves. Adding a line here is all that a plain kind needs.</summary>
public static class ResourceTypes
{
    public static readonly ResourceType Namespaces = new("", "v1", "namespaces", "Namespace", false)
        { ShortNames = ["ns"], HasStatus = true };
    public static readonly ResourceType Nodes = new("", "v1", "nodes", "Node", false) { ShortNames = ["no"], HasStatus = true };
    public static readonly ResourceType Pods = new("", "v1", "pods", "Pod", true)
        { ShortNames = ["po"], Categories = ["all"], HasStatus = true };
    public static readonly ResourceType Services = new("", "v1", "services", "Service", true)
        { ShortNames = ["svc"], Categories = ["all"], HasStatus = true };
    public static readonly ResourceType Events = new("", "v1", "events", "Event", true) { ShortNames = ["ev"] };
    public static readonly ResourceType ConfigMaps = new("", "v1", "configmaps", "ConfigMap", true) { ShortNames = ["cm"] };
    public static readonly ResourceType ServiceAccounts = new("", "v1", "serviceaccounts", "ServiceAccount", true) { ShortNames = ["sa"] };
    public static readonly ResourceType Deployments = new("apps", "v1", "deployments", "Deployment", true)
        { ShortNames = ["deploy"], Categories = ["all"], HasStatus = true, HasScale = true };
    public static readonly ResourceType ReplicaSets = new("apps", "v1", "replicasets", "ReplicaSet", true)
        { ShortNames = ["rs"], Categories = ["all"], HasStatus = true, HasScale = true };
    public static readonly ResourceType DaemonSets = new("apps", "v1", "daemonsets", "DaemonSet", true)
        { ShortNames = ["ds"], Categories = ["all"], HasStatus = true };
    public static readonly ResourceType ClusterRoles = new("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", false);
    public static readonly ResourceType ClusterRoleBindings =
        new("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", false);
    public static readonly ResourceType Roles = new("rbac.authorization.k8s.io", "v1", "roles", "Role", true);
    public static readonly ResourceType RoleBindings = new("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding", true);
    public static readonly ResourceType EndpointSlices = new("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", true);

    public static IReadOnlyList<ResourceType> All { get; } =
    [
        Namespaces, Nodes, Pods, Services, Events, ConfigMaps, ServiceAccounts, Deployments, ReplicaSets, DaemonSets, EndpointSlices,
        ClusterRoles, ClusterRoleBindings, Roles, RoleBindings,
    ];

    public static ResourceType? Find(string group, string version, string plural) =>
        All.FirstOrDefault(t => t.Group == group && t.Version == version && t.Plural == plural);

    public static ResourceType? FindKind(string apiVersion, string kind) =>
        All.FirstOrDefault(t => t.ApiVersion == apiVersion && t.Kind == kind);
}
