using System.Net;
using System.Net.Sockets;
using TorBalancer.Interop;
using TorBalancer.Transport;

namespace TorBalancer.Daemon.Readiness;

/// <summary>
/// A port that anybody may reach, and that costs nobody much: at most <see cref="MaxConnections"/> at once, each for a few seconds and
/// for one question. When all places are taken the oldest connection makes room, so that silent ones keep nobody out.
/// </summary>
internal sealed class ReadinessListener : IAsyncDisposable
{
    internal const int MaxConnections = 16;

    /// <summary>How long one connection may take, question and answer together.</summary>
    internal static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

    /// <summary>After an error, such as no descriptors: the next one waits in the kernel's queue.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    private const int Backlog = 64;

    private readonly Lock _lock = new();
    private readonly LinkedList<Socket> _live = new();
    private readonly HashSet<Task> _running = [];
    private readonly Socket _socket;
    private readonly Func<Socket, CancellationToken, Task> _answer;
    private readonly DescriptorBudget _descriptors;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _stop = new();
    private Task _accepting = Task.CompletedTask;
    private CancellationTokenSource? _pause;
    private bool _isShared;
    private volatile bool _closed;

    /// <summary>Binds; throws <see cref="SocketException"/> when the address cannot be had.</summary>
    /// <param name="answer">Asked for each connection; what it throws ends that one.</param>
    public ReadinessListener(
        IPEndPoint address, Func<Socket, CancellationToken, Task> answer, DescriptorBudget descriptors, TimeProvider time)
    {
        (_answer, _descriptors, _time) = (answer, descriptors, time);
        _socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            if (address.Address.Equals(IPAddress.IPv6Any))
                _socket.DualMode = true;
            _socket.Bind(address);
            _socket.Listen(Backlog);
            Address = (IPEndPoint)_socket.LocalEndPoint!;
        }
        catch
        {
            _socket.Dispose();
            throw;
        }
    }

    /// <param name="shared">Listens already; another process has it too, so that closing closes our descriptor and nothing else.</param>
    /// <inheritdoc cref="ReadinessListener(IPEndPoint, Func{Socket, CancellationToken, Task}, DescriptorBudget, TimeProvider)"/>
    public ReadinessListener(
        Socket shared, Func<Socket, CancellationToken, Task> answer, DescriptorBudget descriptors, TimeProvider time)
    {
        (_answer, _descriptors, _time, _socket, _isShared) = (answer, descriptors, time, shared, true);
        Address = (IPEndPoint)shared.LocalEndPoint!;
    }

    /// <summary>With its real port.</summary>
    public IPEndPoint Address { get; }

    /// <summary>The listening socket, for another process to have as well.</summary>
    public Socket Socket => _socket;

    /// <summary>Nobody is accepted any more.</summary>
    public bool IsClosed => _closed;

    /// <summary>From now on it answers, if it does not already.</summary>
    public void Start()
    {
        // A takeover that comes to nothing has everybody go on, also who had not been told to pause.
        if (_pause is { IsCancellationRequested: false })
            return;
        _pause?.Dispose();
        _pause = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        var token = _pause.Token;
        _accepting = Task.Run(() => AcceptAsync(token));
    }

    /// <summary>Nobody is accepted until <see cref="Start"/>.</summary>
    public async Task PauseAsync()
    {
        if (_pause is not null)
            await _pause.CancelAsync();
        await _accepting;
    }

    /// <summary>After <see cref="PauseAsync"/>: the port is another process's from now on.</summary>
    public void Leave()
    {
        _isShared = true;
        Close();
    }

    /// <summary>The port is free when this returns, if nobody else has it; what has begun is answered yet.</summary>
    public void Close()
    {
        if (_closed)
            return;
        _closed = true;
        _stop.Cancel();

        // Nobody waits on it any more, so that closing is no more than that.
        if (_isShared)
            SharedDescriptors.Close(_socket);
        else
            _socket.Dispose();
    }

    public async ValueTask DisposeAsync()
    {
        Close();
        await _accepting;
        Task[] running;
        lock (_lock)
            running = [.. _running];
        await Task.WhenAll(running);
        _pause?.Dispose();
        _stop.Dispose();
    }

    private async Task AcceptAsync(CancellationToken paused)
    {
        while (!_closed && !paused.IsCancellationRequested)
        {
            Socket accepted;
            try
            {
                accepted = await _socket.AcceptAsync(paused);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (Exception failure) when (failure is ObjectDisposedException or SocketException)
            {
                if (!_closed)
                    await Task.Delay(Pause, _time, CancellationToken.None);
                continue;
            }

            Admit(accepted);
        }
    }

    private void Admit(Socket accepted)
    {
        // Who sends clients here decides over workers too: it may have of the reserve what probes have.
        if (!_descriptors.MayProbeHave((int)accepted.SafeHandle.DangerousGetHandle()))
        {
            accepted.Dispose();
            return;
        }

        lock (_lock)
        {
            if (_live.Count >= MaxConnections && _live.First is { } oldest)
            {
                _live.Remove(oldest);
                oldest.Value.Dispose();
            }

            var place = _live.AddLast(accepted);
            var task = ServeAsync(accepted, place);
            _running.RemoveWhere(static one => one.IsCompleted);
            _running.Add(task);
        }
    }

    private async Task ServeAsync(Socket socket, LinkedListNode<Socket> place)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        try
        {
            using var limit = new CancellationTokenSource(Limit, _time);
            await _answer(socket, limit.Token);
        }
        catch (Exception failure) when (failure is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // It took too long, went, or made room.
        }
        finally
        {
            lock (_lock)
            {
                if (place.List is not null)
                    _live.Remove(place);
            }

            socket.Dispose();
        }
    }
}
