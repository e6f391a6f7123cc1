using System.IO.Pipes;
using System.Net.Sockets;
using System.Text;
using Microsoft.Win32.SafeHandles;
using TorBalancer.Admin.Metrics;
using TorBalancer.Daemon.Hosting;
using TorBalancer.Daemon.Tor;
using TorBalancer.Interop;
using TorBalancer.Processes;
using TorBalancer.Server;
using TorBalancer.Transport;

namespace TorBalancer.Daemon.Takeover;

/// <summary>
/// The running daemon that this process takes over from, over one connection to its admin socket. Until <see cref="FinishAsync"/> this one
/// can end at any point, and the other one goes on.
/// </summary>
internal sealed class Predecessor : IDisposable
{
    private const string Restart = "; restart the daemon instead (systemctl restart torbalancer)";

    /// <summary>For the first answer; for the state, and what has changed since; and for the last word.</summary>
    private static readonly TimeSpan AnswerLimit = TimeSpan.FromSeconds(10), StateLimit = TimeSpan.FromSeconds(30),
        ReleaseLimit = TimeSpan.FromSeconds(60);

    /// <summary>For a process whose sockets are closed to be gone.</summary>
    private static readonly TimeSpan EndLimit = TimeSpan.FromSeconds(1), EndLook = TimeSpan.FromMilliseconds(10);

    private readonly Socket _socket;
    private readonly List<(TakeoverDescriptor What, int Descriptor)> _descriptors;
    private readonly List<Func<Task>> _actions = [];
    private readonly TaskCompletionSource _letsGo = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly long? _started;
    private bool _isOurs;
    private string? _trouble;

    private Predecessor(Socket socket, TakeoverOffer offer, List<int> descriptors)
    {
        _socket = socket;
        Offer = offer;
        _descriptors = [.. offer.Descriptors.Zip(descriptors)];
        ProcessId = offer.ProcessId;
        _started = ProcessSignals.StartOf(ProcessId);
    }

    public int ProcessId { get; }

    /// <summary>What there is.</summary>
    public TakeoverOffer Offer { get; }

    /// <summary>What it knows; null before <see cref="BeginAsync"/>.</summary>
    public TakeoverState? State { get; private set; }

    /// <summary>Connects and receives what is offered. Throws <see cref="StartupException"/>; then the other one goes on.</summary>
    /// <param name="path">The admin socket; null: none is configured.</param>
    public static Predecessor Connect(string? path)
    {
        if (!OperatingSystem.IsLinux() || !Environment.Is64BitProcess)
            throw new StartupException("--takeover needs 64-bit Linux");
        if (path is null)
            throw new StartupException("--takeover goes over the admin API's unix socket, and [Admin] Socket is none");
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        var place = new UnixDomainSocketEndPoint(path);
        try
        {
            socket.Connect(place);
            int fd = (int)socket.SafeHandle.DangerousGetHandle();
            Upgrade(fd);
            TakeoverFrames.Send(
                fd, new TakeoverHello([TakeoverFrames.Version], ProcessFigures.Version), TakeoverJson.Default.TakeoverHello);
            var offer = TakeoverFrames.Receive(fd, TakeoverJson.Default.TakeoverOffer, AnswerLimit);
            if (offer.Refusal is { } refusal)
                throw new StartupException($"the running daemon does not hand over: {refusal}");
            if (offer.Version != TakeoverFrames.Version)
                throw new StartupException($"the running daemon speaks another version of the takeover ({offer.Version}){Restart}");
            return new Predecessor(socket, offer, TakeoverFrames.ReceiveDescriptors(fd, offer.Descriptors.Count, AnswerLimit));
        }
        catch (Exception failure) when (failure is SocketException or IOException)
        {
            socket.Dispose();
            string why = failure is SocketException refused ? UnixSocketFile.MessageOf(place, refused) : failure.Message;
            throw new StartupException($"there is nothing to take over at {path}: {why}", failure);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Whether that is offered and nobody has taken it yet.</summary>
    public bool Has(string kind, string name, string address) =>
        _descriptors.Exists(one => one.What.Kind == kind && one.What.Name == name && one.What.Address == address);

    /// <summary>A listening socket; null: there is none with that address.</summary>
    public InheritedSocket? TakeSocket(string kind, string name, string address)
    {
        int at = _descriptors.FindIndex(one => one.What.Kind == kind && one.What.Name == name && one.What.Address == address);
        return at < 0 ? null : TakeSocket(at);
    }

    /// <summary>The sockets of the proxy's listeners.</summary>
    public InheritedSockets TakeListeners()
    {
        var sockets = new List<InheritedSocket>();
        for (int at; (at = _descriptors.FindIndex(static one => one.What.Kind == TakeoverKinds.Listener)) >= 0;)
            sockets.Add(TakeSocket(at));
        return new InheritedSockets(sockets);
    }

    /// <summary>
    /// Its managed workers; null: it has none. Throws <see cref="StartupException"/> when they are elsewhere than the configuration says.
    /// </summary>
    /// <param name="paths">Where they are to be.</param>
    public ManagedTorHandOver? TakeWorkers(ManagedWorkerPaths paths)
    {
        if (Offer.Workers is not { } workers || TakeDescriptors(TakeoverKinds.WorkersLock, workers.Root) is not [var held])
            return null;
        if (workers.Root != paths.Root || workers.Sockets != paths.Sockets)
        {
            FileCalls.Close(held);
            throw new StartupException(
                $"the running daemon's tor processes are in {workers.Root} (sockets: {workers.Sockets ?? "none"}), and would be in "
                    + $"{paths.Root} (sockets: {paths.Sockets ?? "none"}){Restart}");
        }

        return new ManagedTorHandOver(
            held,
            workers.Tors.ToDictionary(
                static tor => tor.Id,
                tor => new AdoptedTor(
                    new RunningTor(
                        tor.ProcessId, tor.Started, [.. TakeDescriptors(TakeoverKinds.TorOutput, tor.Id).Select(static fd => Reading(fd))],
                        TakeDescriptors(TakeoverKinds.TorProcess, tor.Id) is [var process]
                            ? new PidFd(new SafeFileHandle(process, ownsHandle: true)) : null),
                    tor.IsReady), StringComparer.Ordinal),
            _letsGo.Task);
    }

    /// <summary>What is to be done when this process serves, in this order.</summary>
    /// <param name="isFirst">Before all that were named until now: what clients wait for.</param>
    public void WhenOurs(Func<Task> action, bool isFirst = false) => _actions.Insert(isFirst ? 0 : _actions.Count, action);

    /// <inheritdoc cref="WhenOurs(Func{Task}, bool)"/>
    public void WhenOurs(Action action) => WhenOurs(() =>
    {
        action();
        return Task.CompletedTask;
    });

    /// <summary>
    /// The configuration could be read: it says what it knows, and goes on accepting. Throws <see cref="StartupException"/> when it does
    /// not, and lives; of one that is dead nothing is known, and its sockets are this one's.
    /// </summary>
    /// <param name="workers">The managed workers that are configured here.</param>
    public async Task BeginAsync(IReadOnlyList<string> workers, TimeProvider time)
    {
        try
        {
            State = await Task.Run(() =>
            {
                int fd = (int)_socket.SafeHandle.DangerousGetHandle();
                TakeoverFrames.Send(fd, new TakeoverReady(workers), TakeoverJson.Default.TakeoverReady);
                return TakeoverFrames.Receive(fd, TakeoverJson.Default.TakeoverState, StateLimit);
            });
        }
        catch (IOException failure)
        {
            await FailUnlessDeadAsync(failure, time);
            State = TakeoverState.Empty;
        }
    }

    /// <summary>
    /// Everything stands here: it stops accepting, this process takes over what has changed and serves, and it lets go. Throws
    /// <see cref="StartupException"/> when it goes on instead, before anything is served.
    /// </summary>
    /// <param name="adopt">Clients wait for it.</param>
    public async Task<TakeoverFacts> FinishAsync(Action<TakeoverState> adopt, TimeProvider time)
    {
        await TakeAsync(adopt, time);
        _isOurs = true;
        foreach (var action in _actions)
            await action();
        await Task.Run(AwaitRelease);
        IsOver = true;
        _letsGo.SetResult();
        Dispose();
        return new TakeoverFacts(ProcessId, Offer.Program, time.GetUtcNow()) { Trouble = _trouble };
    }

    /// <summary>It has let go: what it had is this process's.</summary>
    public bool IsOver { get; private set; }

    /// <summary>Closes the connection and what nobody has taken.</summary>
    public void Dispose()
    {
        foreach (var (_, descriptor) in _descriptors)
            FileCalls.Close(descriptor);
        _descriptors.Clear();
        _socket.Dispose();
    }

    private static AnonymousPipeClientStream Reading(int descriptor) =>
        new(PipeDirection.In, new SafePipeHandle(descriptor, ownsHandle: true));

    private static void Upgrade(int fd)
    {
        SharedDescriptors.Send(
            fd,
            Encoding.ASCII.GetBytes(
                $"POST {TakeoverFrames.Path} HTTP/1.1\r\nHost: localhost\r\n"
                    + $"Connection: Upgrade\r\nUpgrade: {TakeoverFrames.Protocol}\r\n\r\n"), AnswerLimit);

        // Not a byte more: what comes behind the head are frames.
        byte[] head = new byte[16 * 1024];
        int length = 0;
        var unasked = new List<int>();
        while (length < head.Length && !head.AsSpan(0, length).EndsWith("\r\n\r\n"u8))
            length += SharedDescriptors.Receive(fd, head.AsSpan(length, 1), unasked, AnswerLimit);

        string status = Encoding.ASCII.GetString(head, 0, length).Split('\r')[0];
        if (status.StartsWith("HTTP/1.1 101 ", StringComparison.Ordinal))
            return;
        throw new StartupException(status.Split(' ').ElementAtOrDefault(1) switch
        {
            "403" => "the running daemon does not hand over: only a process of its own user may take over",
            "404" => $"the running daemon is of a release that cannot hand over{Restart}",
            _ => $"the running daemon does not hand over: {status}",
        });
    }

    private InheritedSocket TakeSocket(int at)
    {
        var (what, descriptor) = _descriptors[at];
        _descriptors.RemoveAt(at);
        bool ownsFile = what.OwnsFile;
        return new InheritedSocket(what.Name, new Socket(new SafeSocketHandle(descriptor, ownsHandle: true)), what.Address)
        {
            OwnsFile = () => ownsFile && _isOurs,
        };
    }

    private List<int> TakeDescriptors(string kind, string name)
    {
        var taken = _descriptors.FindAll(one => one.What.Kind == kind && one.What.Name == name);
        _descriptors.RemoveAll(taken.Contains);
        return [.. taken.Select(static one => one.Descriptor)];
    }

    /// <summary>Returns when it has been told that this process accepts, or is dead.</summary>
    private async Task TakeAsync(Action<TakeoverState> adopt, TimeProvider time)
    {
        if (_trouble is not null)
            return;
        try
        {
            await Task.Run(() =>
            {
                int fd = (int)_socket.SafeHandle.DangerousGetHandle();
                TakeoverFrames.Send(fd, new TakeoverWord(TakeoverWord.Stands), TakeoverJson.Default.TakeoverWord);
                adopt(TakeoverFrames.Receive(fd, TakeoverJson.Default.TakeoverState, StateLimit));
                TakeoverFrames.Send(fd, new TakeoverWord(TakeoverWord.Done), TakeoverJson.Default.TakeoverWord);
            });
        }
        catch (IOException failure)
        {
            await FailUnlessDeadAsync(failure, time);
        }
    }

    /// <summary>It counts on this process from "done" on, so that nothing that becomes of it matters any more.</summary>
    private void AwaitRelease()
    {
        if (_trouble is not null)
            return;
        try
        {
            int fd = (int)_socket.SafeHandle.DangerousGetHandle();
            if (TakeoverFrames.Receive(fd, TakeoverJson.Default.TakeoverWord, ReleaseLimit).Word != TakeoverWord.Released)
                _trouble = "its last word was not understood";
        }
        catch (IOException failure)
        {
            _trouble = failure.Message;
        }
    }

    /// <summary>Where nobody goes on, there is nothing to fail for.</summary>
    private async Task FailUnlessDeadAsync(IOException failure, TimeProvider time)
    {
        if (!await IsDeadAsync(time))
            throw new StartupException($"the running daemon goes on, and did not hand over: {failure.Message}", failure);
        _trouble = "it ended before it had handed over everything";
    }

    /// <summary>Its sockets close a little before it has ended.</summary>
    private async Task<bool> IsDeadAsync(TimeProvider time)
    {
        for (long began = time.GetTimestamp(); ProcessSignals.StartOf(ProcessId) == _started; await Task.Delay(EndLook, time))
        {
            if (time.GetElapsedTime(began) > EndLimit)
                return false;
        }

        return true;
    }
}
