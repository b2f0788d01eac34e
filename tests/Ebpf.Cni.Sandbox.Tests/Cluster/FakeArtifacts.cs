namespace Ebpf.Cni.Sandbox.Tests.Cluster;

/// <summary>A directory of artifacts whose agent only writes a network configuration, answers its health and metrics addresses, and says on SIGTERM that it goes.</summary>
internal sealed class FakeArtifacts : IDisposable
{
    private const string Agent = """
        #!/usr/bin/env python3
        import http.server, os, signal, sys, threading
        options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
        print("starts with", options["--node-name"], options["--kubeconfig"], flush=True)
        with open(options["--cni-conf-dir"] + "/10-fake.conflist", "w") as f:
            f.write('{"cniVersion":"1.0.0","name":"fake","plugins":[{"type":"fake-cni"}]}')
        def end(*_):
            print("ends", flush=True)
            os._exit(0)
        signal.signal(signal.SIGTERM, end)
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.end_headers()
                self.wfile.write(f"# {options['--node-name']} {self.path}\n".encode())
            def log_message(self, *_):
                pass
        class Server(http.server.ThreadingHTTPServer):
            def server_bind(self):
                http.server.socketserver.TCPServer.server_bind(self)
        for name in ("--metrics-address", "--healthz-address"):
            host, port = options[name].split(":")
            threading.Thread(target=Server((host, int(port)), Handler).serve_forever).start()
        """;

    public FakeArtifacts()
    {
        Path = Directory.CreateTempSubdirectory("ebpf-cni-sandbox-test-").FullName;
        var agent = System.IO.Path.Combine(Path, "ebpf-cni-agent");
        File.WriteAllText(agent, Agent.ReplaceLineEndings("\n"));
        File.SetUnixFileMode(agent, UnixFileMode.UserRead | UnixFileMode.UserExecute);
    }

    public string Path { get; }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
