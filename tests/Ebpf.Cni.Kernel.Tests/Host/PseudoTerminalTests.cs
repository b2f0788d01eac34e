using System.Diagnostics;
using System.Text;
using Ebpf.Cni.Kernel.Host;

namespace Ebpf.Cni.Kernel.Tests.Host;

public sealed class PseudoTerminalTests
{
    [Fact]
    public async Task A_process_has_it_as_its_terminal_of_the_size_that_was_set()
    {
        using var terminal = PseudoTerminal.Open();
        terminal.Resize(columns: 91, rows: 17);
        const string inside = "read line && stty size && tty && echo \"<$line>\"";
        const string prologue = $"exec setsid --ctty sh -c '{inside}' <$0 >$0 2>&1";
        using var process = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", prologue, terminal.Path]))!;
        await terminal.Stream.WriteAsync("typed\n"u8.ToArray());
        var output = await ReadAsync(terminal.Stream).WaitAsync(TimeSpan.FromSeconds(30));
        await process.WaitForExitAsync();
        Assert.Contains($"17 91\r\n{terminal.Path}\r\n<typed>", output, StringComparison.Ordinal);
    }

    // until no process has it open
    private static async Task<string> ReadAsync(Stream stream)
    {
        var text = new StringBuilder();
        var buffer = new byte[4096];
        try
        {
            while (await stream.ReadAsync(buffer) is > 0 and var count)
                text.Append(Encoding.UTF8.GetString(buffer, 0, count));
        }
        catch (IOException)
        {
            // EIO: that is the end
        }

        return text.ToString();
    }
}
