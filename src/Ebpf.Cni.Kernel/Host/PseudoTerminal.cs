using System.Globalization;
using Ebpf.Cni.Kernel.Interop;
using Microsoft.Win32.SafeHandles;

namespace Ebpf.Cni.Kernel.Host;

/// <summary>A terminal for a process: what is written here is typed there, and what the process prints is read here (pty(7)).</summary>
public sealed unsafe class PseudoTerminal : IDisposable
{
    private readonly SafeFileHandle _master;

    private PseudoTerminal(SafeFileHandle master, string path)
    {
        _master = master;
        Path = path;
        Stream = new FileStream(master, FileAccess.ReadWrite, bufferSize: 0);
    }

    /// <summary>What the process opens: /dev/pts/N.</summary>
    public string Path { get; }

    /// <summary>
    /// The other end. Reading fails with an <see cref="IOException"/> (EIO) once no process has the terminal open any more.
    /// </summary>
    public Stream Stream { get; }

    /// <exception cref="IOException">There is no /dev/ptmx, or no terminal is left.</exception>
    /// <exception cref="KernelException">The terminal cannot be unlocked.</exception>
    public static PseudoTerminal Open()
    {
        var master = File.OpenHandle("/dev/ptmx", FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        try
        {
            int locked = 0, number = 0;
            Control(master, LibC.TIOCSPTLCK, &locked, "unlock a pseudo-terminal");
            Control(master, LibC.TIOCGPTN, &number, "ask for a pseudo-terminal's number");
            return new PseudoTerminal(master, string.Create(CultureInfo.InvariantCulture, $"/dev/pts/{number}"));
        }
        catch
        {
            master.Dispose();
            throw;
        }
    }

    /// <summary>Sets the size in characters; the process receives SIGWINCH.</summary>
    /// <exception cref="KernelException">The terminal is closed.</exception>
    public void Resize(ushort columns, ushort rows)
    {
        var size = stackalloc ushort[] { rows, columns, 0, 0 };
        Control(_master, LibC.TIOCSWINSZ, size, "set a pseudo-terminal's size");
    }

    public void Dispose()
    {
        Stream.Dispose();
        _master.Dispose();
    }

    private static void Control(SafeFileHandle master, nuint request, void* argument, string what)
    {
        if (LibC.ControlDevice(master, request, argument) != 0)
            throw LibC.LastError(what);
    }
}
