namespace Ebpf.Cni.Cli.Merged;

/// <summary>A node's answer.</summary>
/// <param name="Node">Its name.</param>
/// <param name="Answer">Null: its agent does not know the object.</param>
internal sealed record NodeAnswer<T>(string Node, T? Answer) where T : class;
