using Ebpf.Cni.Chart.Tests.Rendering;
using k8s.Models;

namespace Ebpf.Cni.Chart.Tests.Objects;

/// <summary>What in a manifest names something else in it that is not there.</summary>
internal static class References
{
    public static IEnumerable<string> Broken(Manifest manifest)
    {
        foreach (var set in manifest.All<V1DaemonSet>())
        {
            foreach (var (key, value) in set.Spec.Selector.MatchLabels)
                if (!set.Spec.Template.Metadata.Labels.TryGetValue(key, out var label) || label != value)
                    yield return $"the selector's {key}={value} is not in the template's labels";
            foreach (var found in Pod(set.Spec.Template.Spec, manifest, set.Metadata.NamespaceProperty))
                yield return found;
        }

        foreach (var pod in manifest.All<V1Pod>())
            foreach (var found in Pod(pod.Spec, manifest, pod.Metadata.NamespaceProperty))
                yield return found;
        foreach (var binding in manifest.All<V1ClusterRoleBinding>())
        {
            if (manifest.All<V1ClusterRole>().All(r => r.Metadata.Name != binding.RoleRef.Name))
                yield return $"there is no ClusterRole {binding.RoleRef.Name}";
            foreach (var subject in binding.Subjects)
                if (!HasAccount(manifest, subject.NamespaceProperty, subject.Name))
                    yield return $"there is no ServiceAccount {subject.NamespaceProperty}/{subject.Name}";
        }
    }

    private static IEnumerable<string> Pod(V1PodSpec pod, Manifest manifest, string space)
    {
        var volumes = pod.Volumes ?? [];
        var containers = pod.Containers.Concat(pod.InitContainers ?? []).ToList();
        if (pod.ServiceAccountName is { } account && !HasAccount(manifest, space, account))
            yield return $"there is no ServiceAccount {space}/{account}";
        foreach (var container in containers)
        {
            foreach (var mount in container.VolumeMounts ?? [])
                if (volumes.All(v => v.Name != mount.Name))
                    yield return $"{container.Name} mounts {mount.Name}, which is no volume";
            foreach (var path in (container.VolumeMounts ?? []).GroupBy(m => m.MountPath).Where(g => g.Count() > 1))
                yield return $"{container.Name} mounts {path.Key} twice";
        }

        foreach (var volume in volumes)
        {
            if (!containers.Any(c => c.VolumeMounts?.Any(m => m.Name == volume.Name) == true))
                yield return $"nobody mounts {volume.Name}";
            if (volume.ConfigMap is { } map && manifest.All<V1ConfigMap>()
                .All(m => m.Metadata.Name != map.Name || m.Metadata.NamespaceProperty != space))
                yield return $"there is no ConfigMap {space}/{map.Name}";
        }
    }

    private static bool HasAccount(Manifest manifest, string space, string name) =>
        manifest.All<V1ServiceAccount>().Any(a => a.Metadata.Name == name && a.Metadata.NamespaceProperty == space);
}
