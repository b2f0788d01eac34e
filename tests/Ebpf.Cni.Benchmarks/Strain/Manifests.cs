namespace Ebpf.Cni.Benchmarks.Strain;

/// <summary>What the measured clusters are made of, as YAML.</summary>
internal static class Manifests
{
    /// <param name="command">A YAML list.</param>
    public static string Pod(string name, string node, string app, string command) => $$"""
        apiVersion: v1
        kind: Pod
        metadata: { name: {{name}}, labels: { app: {{app}} } }
        spec:
          nodeName: {{node}}
          containers: [{name: main, image: ebpf-cni/benchmarks, command: {{command}} }]

        """;

    /// <summary>Of type NodePort, port 80.</summary>
    public static string NodePort(string name, string app, int targetPort) => $$"""
        apiVersion: v1
        kind: Service
        metadata: {name: {{name}} }
        spec:
          type: NodePort
          selector: {app: {{app}} }
          ports: [{port: 80, targetPort: {{targetPort}} }]

        """;
}
