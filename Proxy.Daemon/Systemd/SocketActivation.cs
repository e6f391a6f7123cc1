using System.Globalization;
using System.Net.Sockets;
using TorBalancer.Configuration.Options;
using TorBalancer.Daemon.Hosting;
using TorBalancer.Interop;
using TorBalancer.Transport;

namespace TorBalancer.Daemon.Systemd;

/// <summary>
/// Listening sockets that the service manager passes (sd_listen_fds(3)): descriptors from 3 on, each named after the listener it is for
/// (FileDescriptorName= in the socket unit).
/// </summary>
internal static class SocketActivation
{
    /// <summary>SD_LISTEN_FDS_START.</summary>
    private const int First = 3;

    private const string Process = "LISTEN_PID", Count = "LISTEN_FDS", NamesVariable = "LISTEN_FDNAMES";

    /// <summary>
    /// Takes them. Programs that we start inherit neither the sockets, which would keep the port when we are gone, nor the variables.
    /// Throws <see cref="StartupException"/> for what is no listening stream socket.
    /// </summary>
    /// <param name="environment">Gives an environment variable or null.</param>
    /// <param name="processId">Ours: what is for another process is not touched.</param>
    /// <param name="forget">Takes a variable out of the environment.</param>
    public static InheritedSockets Take(Func<string, string?> environment, int processId, Action<string> forget)
    {
        var (process, count, names) = (environment(Process), environment(Count), environment(NamesVariable));
        foreach (string name in (string[])[Process, Count, NamesVariable])
            forget(name);
        if (!OperatingSystem.IsLinux() || count is not { Length: > 0 } || process != processId.ToString(CultureInfo.InvariantCulture))
            return InheritedSockets.None;
        if (!int.TryParse(count, NumberStyles.None, CultureInfo.InvariantCulture, out int passed) || passed > short.MaxValue)
            throw new StartupException($"{Count} = \"{count}\" is no number of descriptors");

        // All of them first: whatever is wrong with one, no program of ours is to have another.
        for (int i = 0; i < passed; i++)
            _ = FileCalls.SetCloseOnExec(First + i);
        string[] named = names?.Split(':') ?? [];
        var sockets = new List<InheritedSocket>();
        for (int i = 0; i < passed; i++)
        {
            string name = i < named.Length && named[i].Length > 0 ? named[i] : "unknown";
            sockets.Add(new InheritedSocket(name, Open(First + i, name)));
        }

        return new InheritedSockets(sockets);
    }

    /// <summary>
    /// Throws <see cref="StartupException"/> when a socket is for no listener, or one of several for a listener with a single address.
    /// </summary>
    /// <param name="listeners">Those that are configured.</param>
    public static void Check(InheritedSockets sockets, IReadOnlyList<ListenerOptions> listeners)
    {
        foreach (var named in sockets.Names.GroupBy(static name => name, StringComparer.OrdinalIgnoreCase))
        {
            var listener = listeners.FirstOrDefault(one => one.Name.Equals(named.Key, StringComparison.OrdinalIgnoreCase));
            if (listener is null)
            {
                throw new StartupException(
                    $"the service manager passed a socket named \"{named.Key}\", and there is no [Listener:{named.Key}]; "
                        + "FileDescriptorName= in the socket unit names one of: "
                        + string.Join(", ", listeners.Select(static one => one.Name)));
            }

            if (listener.LastPort == 0 && named.Count() > 1)
                throw new StartupException($"the service manager passed two sockets named \"{named.Key}\": a listener has one");
        }
    }

    private static Socket Open(int descriptor, string name)
    {
        Socket socket;
        try
        {
            socket = new Socket(new SafeSocketHandle(descriptor, ownsHandle: true));
        }
        catch (SocketException failure)
        {
            throw new StartupException($"what the service manager passed as \"{name}\" is no socket: {failure.Message}", failure);
        }

        if (socket is not
            {
                SocketType: SocketType.Stream,
                AddressFamily: AddressFamily.InterNetwork or AddressFamily.InterNetworkV6 or AddressFamily.Unix,
            })
        {
            throw new StartupException(
                $"the service manager passed a socket named \"{name}\" that is of the wrong type ({socket.AddressFamily}, "
                    + $"{socket.SocketType}): ListenStream= makes the right one");
        }

        if (socket.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.AcceptConnection) is not > 0)
            throw new StartupException($"the socket that the service manager passed as \"{name}\" does not listen: Accept=no is needed");
        return socket;
    }
}
