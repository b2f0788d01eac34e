using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Sandbox.Tests.Cluster;

/// <summary>
/// A directory of artifacts whose agent only writes a network configuration, answers its health and metrics addresses, and says on SIGTERM
/// that it goes. It is installed by the same manifest as the real one.
/// </summary>
internal sealed class FakeArtifacts : IDisposable
{
    private const string Agent = """
        #!/usr/bin/env python3
        import http.server, json, os, signal, sys, threading
        if sys.argv[1] == "prepare":
            print("prepares", os.readlink(sys.argv[3] + "/1/ns/mnt"), flush=True)
            sys.exit(0)
        with open(sys.argv[2]) as f:
            options = json.load(f)
        node = os.environ["EBPF_CNI_NODE_NAME"]
        print("starts on", node, flush=True)
        with open(options["cniConfDir"] + "/10-fake.conflist", "w") as f:
            f.write('{"cniVersion":"1.0.0","name":"fake","plugins":[{"type":"fake-cni"}]}')
        # A handler would be lost if the signal came just before this thread begins to wait for the others.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.end_headers()
                self.wfile.write(f"# {node} {self.path}\n".encode())
            def log_message(self, *_):
                pass
        class Server(http.server.ThreadingHTTPServer):
            def server_bind(self):
                http.server.socketserver.TCPServer.server_bind(self)
        for name in ("metricsAddress", "healthzAddress"):
            host, port = options[name].split(":")
            threading.Thread(target=Server((host, int(port)), Handler).serve_forever, daemon=True).start()
        signal.sigwait({signal.SIGTERM})
        print("ends", flush=True)
        os._exit(0)
        """;

    public FakeArtifacts()
    {
        Path = Directory.CreateTempSubdirectory("ebpf-cni-sandbox-test-").FullName;
        AddProgram("ebpf-cni-agent", Agent);
        Directory.CreateDirectory(System.IO.Path.Combine(Path, "deploy"));
        File.Copy(RealManifest, Manifest);
    }

    public static string RealManifest => System.IO.Path.Combine(Repository.Root, "deploy", "ebpf-cni.yaml");

    public string Path { get; }

    /// <summary>This directory's own copy of <see cref="RealManifest"/>.</summary>
    public string Manifest => System.IO.Path.Combine(Path, "deploy", "ebpf-cni.yaml");

    public void AddProgram(string name, string script)
    {
        var file = System.IO.Path.Combine(Path, name);
        File.WriteAllText(file, script.ReplaceLineEndings("\n"));
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserExecute);
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
