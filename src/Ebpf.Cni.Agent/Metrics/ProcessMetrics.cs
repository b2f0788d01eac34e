using Prometheus;

namespace Ebpf.Cni.Agent.Metrics;

/// <summary>The process itself, under the names that every Prometheus client uses.</summary>
public static class ProcessMetrics
{
    public static void Register(CollectorRegistry registry, TimeProvider time, string version)
    {
        ArgumentNullException.ThrowIfNull(registry);
        ArgumentNullException.ThrowIfNull(time);
        var factory = Prometheus.Metrics.WithCustomRegistry(registry);
        factory.CreateGauge("ebpf_cni_build_info", "Version and runtime of the agent; always 1.", ["version", "runtime"])
            .WithLabels(version, System.Runtime.InteropServices.RuntimeInformation.FrameworkDescription).Set(1);
        factory.CreateGauge("process_start_time_seconds", "Start time of the process, in Unix seconds.")
            .Set(time.GetUtcNow().ToUnixTimeMilliseconds() / 1000.0);
        var resident = factory.CreateGauge("process_resident_memory_bytes", "Resident memory of the process.");
        var cpu = factory.CreateCounter("process_cpu_seconds_total", "CPU time used by the process.");
        var heap = factory.CreateGauge("dotnet_gc_heap_bytes", "Managed heap size after the last garbage collection.");
        registry.AddBeforeCollectCallback(() =>
        {
            resident.Set(Environment.WorkingSet);
            cpu.IncTo(Environment.CpuUsage.TotalTime.TotalSeconds);
            heap.Set(GC.GetGCMemoryInfo().HeapSizeBytes);
        });
    }
}
