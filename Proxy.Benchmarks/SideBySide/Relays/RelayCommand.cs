using System.Globalization;
using TorBalancer.Benchmarks.SideBySide.Load;

namespace TorBalancer.Benchmarks.SideBySide.Relays;

/// <summary>
/// <c>relay epoll|uring --port N --workers P1,P2,…</c>: passes every connection on to the next of those ports, until it is killed.
/// Two engines with one task, to see what io_uring would bring. <c>--bulk copy|splice|call</c> and <c>--files plain|direct</c>
/// are ways in which uring can do it; see <see cref="UringRelay"/>.
/// </summary>
internal static class RelayCommand
{
    public static int Run(string[] args)
    {
        int port = int.Parse(StubCommand.After(args, "--port") ?? "0", CultureInfo.InvariantCulture);
        int[] workers = [.. (StubCommand.After(args, "--workers") ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries).Select(int.Parse)];
        bool direct = StubCommand.After(args, "--files") == "direct";
        var usual = direct ? UringBulk.Copy : UringBulk.Call;
        bool bulkKnown = Enum.TryParse(StubCommand.After(args, "--bulk") ?? usual.ToString(), ignoreCase: true, out UringBulk bulk);
        if (port == 0 || workers.Length == 0 || !bulkKnown || (direct && bulk != UringBulk.Copy) || args[0] is not ("epoll" or "uring"))
        {
            Console.Error.WriteLine("relay epoll|uring --port N --workers P1,P2,… [--bulk copy|splice|call] [--files plain|direct, the latter with copy only]");
            return 2;
        }

        int listener = LoopbackSocket.ListenOn(port);
        if (listener < 0)
        {
            Console.Error.WriteLine($"nothing can listen on port {port}");
            return 1;
        }

        if (args[0] == "epoll")
        {
            new EpollRelay(listener, workers).Run();
            return 0;
        }

        if (Ring.TryCreate(out int error) is not { } ring)
        {
            Console.Error.WriteLine($"the kernel refuses io_uring: error {error}{(error == 1 ? " (see /proc/sys/kernel/io_uring_disabled)" : "")}");
            return 1;
        }

        if (!ring.TryRegisterBuffers(out var buffers, out error))
        {
            Console.Error.WriteLine($"the kernel's io_uring takes no ring of buffers: error {error}");
            return 1;
        }

        return new UringRelay(ring, buffers, listener, workers, bulk, direct).Run();
    }
}
