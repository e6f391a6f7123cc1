using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using TorBalancer.Interop;

namespace TorBalancer.Tests.Support;

/// <summary>What a service manager hears (sd_notify(3)), and from whom: the kernel says it, as it says it to systemd (unix(7)).</summary>
internal sealed partial class ServiceManagerSocket : IDisposable
{
    private const int SolSocket = 1, PassCredentials = 16, Credentials = 2, DontWait = 0x40;

    private const string Marker = "X_READ_SO_FAR=1";

    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _lock = new();
    private readonly List<(int ProcessId, string Text)> _heard = [];
    private TaskCompletionSource _more = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _at;

    public ServiceManagerSocket(string directory)
    {
        Path = System.IO.Path.Combine(directory, "notify.sock");
        _socket.SetRawSocketOption(SolSocket, PassCredentials, [1, 0, 0, 0]);
        _socket.Bind(new UnixDomainSocketEndPoint(Path));
        _ = ReadAsync();
    }

    /// <summary>For NOTIFY_SOCKET.</summary>
    public string Path { get; }

    /// <summary>All that has been read so far, in its order.</summary>
    public IReadOnlyList<(int ProcessId, string Text)> Heard
    {
        get
        {
            lock (_lock)
                return [.. _heard.Where(static one => one.Text != Marker)];
        }
    }

    /// <summary>The next message that holds the text; those before it are passed over.</summary>
    public async Task<string> WaitForAsync(string text, CancellationToken token) => (await NextAsync(text, token)).Text;

    /// <summary>The same, and whose it is.</summary>
    public async Task<(int ProcessId, string Text)> NextAsync(string text, CancellationToken token)
    {
        while (true)
        {
            Task more;
            lock (_lock)
            {
                while (_at < _heard.Count)
                {
                    if (_heard[_at++] is var message && message.Text.Contains(text, StringComparison.Ordinal))
                        return message;
                }

                more = _more.Task;
            }

            await more.WaitAsync(token);
        }
    }

    /// <summary>Returns when all that has been said is read; it is passed over.</summary>
    public async Task ReadRestAsync(CancellationToken token)
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        await socket.SendToAsync(Encoding.UTF8.GetBytes(Marker), SocketFlags.None, new UnixDomainSocketEndPoint(Path), token);
        await NextAsync(Marker, token);
    }

    public void Dispose()
    {
        _stop.Cancel();
        _socket.Dispose();
    }

    /// <summary>All the time: the kernel keeps ten messages (net.unix.max_dgram_qlen), and who sends another waits.</summary>
    private async Task ReadAsync()
    {
        byte[] nothing = new byte[1];
        try
        {
            while (true)
            {
                await _socket.ReceiveAsync(nothing, SocketFlags.Peek, _stop.Token);
                if (TryRead() is not { } message)
                    continue;
                TaskCompletionSource more;
                lock (_lock)
                {
                    _heard.Add(message);
                    (more, _more) = (_more, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
                }

                more.SetResult();
            }
        }
        catch (Exception failure) when (failure is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private unsafe (int ProcessId, string Text)? TryRead()
    {
        byte* bytes = stackalloc byte[4096], control = stackalloc byte[64];
        var part = new SocketMessagePart { Base = bytes, Length = 4096 };
        var message = new SocketMessage { Parts = &part, PartCount = 1, Control = control, ControlLength = 64 };
        nint count = ReceiveMessage((int)_socket.Handle, &message, DontWait);
        if (count < 0)
            return null;
        Assert.That((*(int*)(control + 8), *(int*)(control + 12)), Is.EqualTo((SolSocket, Credentials)));
        return (*(int*)(control + SocketMessage.HeaderBytes), Encoding.UTF8.GetString(bytes, (int)count));
    }

    [LibraryImport("libc", EntryPoint = "recvmsg", SetLastError = true)]
    private static unsafe partial nint ReceiveMessage(int socket, SocketMessage* message, int flags);
}
