using TorBalancer.Benchmarks.SideBySide.Load;

namespace TorBalancer.Benchmarks.SideBySide;

/// <summary>
/// <c>stub [--ports N] [--chunk BYTES] [--sendfile] [--coalesce]</c>: the stub worker until it is told to stop; prints its ports first.
/// </summary>
internal static class StubCommand
{
    public static void Run(string[] args)
    {
        int ports = int.Parse(After(args, "--ports") ?? "4"), chunk = int.Parse(After(args, "--chunk") ?? "262144");
        using var stub = new StubWorker(ports, chunk, args.Contains("--sendfile"), args.Contains("--coalesce"));
        Console.WriteLine(string.Join(' ', stub.Ports));
        Console.Out.Flush();
        stub.Run(static () => true);
    }

    public static string? After(string[] args, string name) =>
        Array.IndexOf(args, name) is >= 0 and var at && at + 1 < args.Length ? args[at + 1] : null;
}
