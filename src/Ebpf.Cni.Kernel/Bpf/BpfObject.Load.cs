using System.Runtime.InteropServices;
using Ebpf.Cni.Kernel.Interop;

namespace Ebpf.Cni.Kernel.Bpf;

/// <content>Loading, and explaining why it failed.</content>
public sealed partial class BpfObject
{
    // the verifier's limit is larger, but its last lines are what matters; untouched pages of the buffer cost nothing
    private const int LogBytes = 4 * 1024 * 1024;

    /// <summary>Creates the maps and loads the programs.</summary>
    /// <exception cref="BpfLoadException">The verifier refuses a program; names it and carries the verifier's last lines.</exception>
    /// <exception cref="KernelException">A map cannot be created, or the privilege is missing.</exception>
    public void Load()
    {
        RequireNotLoaded();
        LockedMemory.Unlimit();
        using var logs = new ProgramLogs(_programs);
        var result = LibBpf.LoadObject(_handle);
        if (result < 0)
            throw Explain(-result, logs);
        _loaded = true;
    }

    /// <summary>
    /// Sets one field of the read-only globals, before loading; the verifier then sees a constant and drops dead branches.
    /// </summary>
    /// <param name="variable">The C name of the global.</param>
    /// <exception cref="ArgumentException">There is no such global, or its size is not <typeparamref name="T"/>'s.</exception>
    public unsafe void SetReadOnlyGlobal<T>(string variable, in T value) where T : unmanaged
    {
        const string section = ".rodata";
        RequireNotLoaded();
        var found = Btf.DataSection(section)?.Variables.FirstOrDefault(v => v.Name == variable)
            ?? throw new ArgumentException($"{_path} has no read-only global '{variable}'");
        if (found.Size != sizeof(T))
            throw new ArgumentException($"{variable} has {found.Size} bytes, {typeof(T).Name} has {sizeof(T)}");
        nuint size;
        var memory = LibBpf.MapInitialValue(FindMap(section), &size);
        if (memory is null || (nuint)(found.Offset + found.Size) > size)
            throw new InvalidOperationException($"{_path}: {section} does not hold {variable}");
        fixed (T* source = &value)
            Buffer.MemoryCopy(source, memory + found.Offset, found.Size, sizeof(T));
    }

    private Exception Explain(int errno, ProgramLogs logs)
    {
        if (logs.Failed() is var (program, log))
            return new BpfLoadException(program, errno, log);
        // no program got as far as the verifier: a map, then; libbpf does not report which, so try each alone
        foreach (var spec in Maps.Where(map => map.Name[0] != '.'))
        {
            try
            {
                BpfMap.Create(spec).Dispose();
            }
            catch (KernelException e)
            {
                return e;
            }
        }
        return new KernelException($"load the BPF object {_path}", errno);
    }

    /// <summary>A log buffer for each program; libbpf fills it only when the program fails.</summary>
    private sealed unsafe class ProgramLogs : IDisposable
    {
        private readonly Dictionary<string, nint> _programs;
        private readonly Dictionary<string, nint> _buffers = [];

        public ProgramLogs(Dictionary<string, nint> programs)
        {
            _programs = programs;
            foreach (var (name, program) in programs)
            {
                var buffer = (byte*)NativeMemory.AllocZeroed(LogBytes);
                _buffers[name] = (nint)buffer;
                _ = LibBpf.SetProgramLog(program, buffer, LogBytes);
            }
        }

        public (string Program, string Log)? Failed()
        {
            foreach (var (name, buffer) in _buffers)
                if (*(byte*)buffer != 0)
                    return (name, VerifierLog.Text(new ReadOnlySpan<byte>((void*)buffer, LogBytes)));
            return null;
        }

        public void Dispose()
        {
            foreach (var (name, buffer) in _buffers)
            {
                _ = LibBpf.SetProgramLog(_programs[name], null, 0);
                NativeMemory.Free((void*)buffer);
            }
        }
    }
}
