using Ebpf.Cni.Sandbox.Api;

await using var api = await ApiServer.StartAsync();
Console.WriteLine(api.Address);
await Task.Delay(Timeout.Infinite);
return 0;
