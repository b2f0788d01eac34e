using System.Text.Json.Nodes;
using k8s.Models;

namespace Ebpf.Cni.Chart.Tests.Rendering;

/// <summary>What a rendering holds.</summary>
internal sealed class Manifest
{
    public Manifest(string text)
    {
        Text = text;
        Objects = YamlText.Documents(text);
    }

    public string Text { get; }

    public IReadOnlyList<JsonNode> Objects { get; }

    public V1DaemonSet DaemonSet => Only<V1DaemonSet>();

    public V1PodSpec Pod => DaemonSet.Spec.Template.Spec;

    public V1Container Agent => Pod.Containers.Single(c => c.Name == "agent");

    public V1Container Prepare => Pod.InitContainers.Single(c => c.Name == "prepare");

    /// <summary>agent.json, as the agent gets it.</summary>
    public string AgentJson => Only<V1ConfigMap>().Data["agent.json"];

    /// <summary>The one object of its kind.</summary>
    public T Only<T>() => Assert.Single(All<T>());

    public IEnumerable<T> All<T>() =>
        Objects.Where(o => KubernetesTypes.Of(o) == typeof(T)).Select(o => (T)KubernetesTypes.Decode(o));
}
