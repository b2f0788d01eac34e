namespace Ebpf.Cni.Bpf.Tests.Fixtures;

/// <summary>The addresses of the tests, a family each.</summary>
internal static class Address
{
    public const string Client4 = "10.1.0.10", Client6 = "fd00:1::10";
    public const string Server4 = "10.1.0.20", Server6 = "fd00:1::20";
    public const string Remote4 = "10.2.0.30", Remote6 = "fd00:2::30";
    public const string Vip4 = "10.96.0.1", Vip6 = "fd00:96::1";
    public const string Gateway4 = "169.254.1.1", Gateway6 = "fe80::ecc:1";
    public const string Hairpin4 = "169.254.1.1", Hairpin6 = "100::ecc:1";

    public static string Client(bool v6) => v6 ? Client6 : Client4;
    public static string Server(bool v6) => v6 ? Server6 : Server4;
    public static string Remote(bool v6) => v6 ? Remote6 : Remote4;
    public static string Vip(bool v6) => v6 ? Vip6 : Vip4;
    public static string Hairpin(bool v6) => v6 ? Hairpin6 : Hairpin4;
    public static string At(string address, int port) =>
        address.Contains(':', StringComparison.Ordinal) ? $"[{address}]:{port}" : $"{address}:{port}";
}
