using System.Globalization;
using TorBalancer.Benchmarks.SideBySide.Load;

namespace TorBalancer.Benchmarks.SideBySide.Relays;

/// <summary>
/// <c>relay --port N --workers P1,P2,…</c>: passes every connection on to the next of those ports, until it is killed. The reference
/// line of what one epoll loop in C# costs without a proxy's work.
/// </summary>
internal static class RelayCommand
{
    public static int Run(string[] args)
    {
        int port = int.Parse(StubCommand.After(args, "--port") ?? "0", CultureInfo.InvariantCulture);
        int[] workers =
        [
            .. (StubCommand.After(args, "--workers") ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries).Select(int.Parse),
        ];
        if (port == 0 || workers.Length == 0)
        {
            Console.Error.WriteLine("relay --port N --workers P1,P2,…");
            return 2;
        }

        int listener = LoopbackSocket.ListenOn(port);
        if (listener < 0)
        {
            Console.Error.WriteLine($"nothing can listen on port {port}");
            return 1;
        }

        new EpollRelay(listener, workers).Run();
        return 0;
    }
}
