using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Controllers;
using Ebpf.Cni.Sandbox.Store;
using Ebpf.Cni.Sandbox.Tests.Api;
using Ebpf.Cni.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Ebpf.Cni.Sandbox.Tests.Kubectl;

/// <summary>
/// The stock kubectl, with no flag that a real cluster would not need, against the API with its controllers and one node, which is played.
/// </summary>
public abstract class KubectlTest : ApiTest
{
    private readonly KubectlProgram _program = new();
    private ControllerSet _controllers = null!;
    private PlayedNode _node = null!;

    private protected KubectlProgram Program => _program;

    /// <summary>For files; gone after the test.</summary>
    protected string Scratch => _program.Scratch;

    public override async ValueTask InitializeAsync()
    {
        Requires.Tool("kubectl");
        await base.InitializeAsync();
        await Server.WriteKubeconfigAsync(_program.Kubeconfig);
        _node = new PlayedNode(Server.Store, "n1");
        _controllers = ControllerSet.Start(Server.Resources, NullLogger.Instance);
    }

    public override async ValueTask DisposeAsync()
    {
        if (_controllers is not null)
        {
            await _controllers.DisposeAsync();
            await _node.DisposeAsync();
            await base.DisposeAsync();
        }

        _program.Dispose();
        GC.SuppressFinalize(this);
    }

    protected JsonObject Get(ResourceType type, string name, string ns = "default") =>
        Server.Resources.Get(type, type.Namespaced ? ns : "", name).Json;

    /// <summary>Runs kubectl, which must end with 0, and returns what it printed.</summary>
    protected Task<string> Kubectl(params string[] arguments) => _program.OutputAsync(arguments);
}
