namespace Ebpf.Cni.Kernel.Bpf;

/// <content>Arrays of maps.</content>
public sealed partial class BpfMap
{
    /// <summary>An array whose elements are maps like <paramref name="like"/>, which need not live on.</summary>
    /// <exception cref="KernelException">The kernel refuses.</exception>
    public static BpfMap CreateOfMaps(string name, uint length, BpfMap like)
    {
        ArgumentNullException.ThrowIfNull(like);
        using var lease = like.Handle.Lease();
        return Create(new BpfMapSpec(name, BpfMapType.ArrayOfMaps, sizeof(uint), sizeof(uint), length), lease.Fd);
    }

    /// <summary>Sets an element of an array of maps. Returns when no program runs any more that may have seen the former one.</summary>
    /// <exception cref="KernelException">E2BIG if the index is out of range; EINVAL if the map is of another kind.</exception>
    public void SetMap(uint index, BpfMap map)
    {
        ArgumentNullException.ThrowIfNull(map);
        using var lease = map.Handle.Lease();
        Update(index, (uint)lease.Fd);
    }
}
