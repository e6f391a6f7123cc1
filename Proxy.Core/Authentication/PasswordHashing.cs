using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using TorBalancer.Interop;

namespace TorBalancer.Authentication;

/// <summary>
/// Computes password hashes on threads of its own, few at a time and each password once, however many clients wait for it: a hash takes
/// milliseconds to seconds of a processor, by design, and yescrypt some MiB. Its threads live while there is something to compute.
/// </summary>
/// <remarks>
/// Of one client no more are computed at a time than may still be wrong; the next ones wait for these. So no more are computed than may be
/// wrong, and none is refused because of others that may turn out to be right.
/// </remarks>
internal sealed partial class PasswordHashing(FailedLogins failures, TimeProvider time, ILogger<PasswordHashing> logger) : IDisposable
{
    /// <summary>Most passwords that wait to be computed.</summary>
    public const int MaxQueued = 1024;

    private readonly Lock _lock = new();
    private readonly LinkedList<Computation> _queue = new();
    private readonly List<Computation> _running = [];
    private readonly Dictionary<(ListenerUser User, Digest Digest), Computation> _pending = [];
    private readonly List<Thread> _threads = [];
    private long _computed;
    private bool _isDisposed;

    /// <summary>Half the processors, at least one and at most four: the others carry traffic.</summary>
    public static int MaxThreads { get; } = Math.Clamp(Environment.ProcessorCount / 2, 1, 4);

    /// <summary>Hashes that were computed since the start.</summary>
    public long Computed => Interlocked.Read(ref _computed);

    /// <summary>Waits for the answer of a hash; remembers the password with its user if it is right.</summary>
    /// <param name="login">Whose hash is computed; the list of its listener may be replaced meanwhile, which changes nothing here.</param>
    /// <param name="digest">The keyed digest of name and password: who has the same waits for the same hash.</param>
    /// <param name="password">The password proper.</param>
    /// <param name="limit">How long to wait at most.</param>
    public async ValueTask<LoginVerdict> VerifyAsync(
        Login login, Digest digest, ReadOnlyMemory<byte> password, TimeSpan limit, CancellationToken cancellationToken)
    {
        if (Join(login, digest, password) is not { } computation)
            return LoginVerdict.Overloaded;
        try
        {
            var verdict = await computation.Answer.Task.WaitAsync(limit, time, cancellationToken);
            return verdict == LoginVerdict.Right && !login.IsKnown ? LoginVerdict.Wrong : verdict;
        }
        catch (TimeoutException)
        {
            return LoginVerdict.Overloaded;
        }
        finally
        {
            Interlocked.Decrement(ref computation.Waiting);
        }
    }

    /// <summary>Ends what waits, and waits for what is being computed: a hash per thread.</summary>
    public void Dispose()
    {
        Thread[] threads;
        lock (_lock)
        {
            _isDisposed = true;
            foreach (var computation in _queue)
                computation.Answer.TrySetResult(LoginVerdict.Overloaded);
            _queue.Clear();
            threads = [.. _threads];
        }

        foreach (var thread in threads)
            thread.Join();
    }

    /// <summary>Null: there is no room.</summary>
    private Computation? Join(in Login login, Digest digest, ReadOnlyMemory<byte> password)
    {
        lock (_lock)
        {
            if (_isDisposed)
                return null;
            var key = (login.User, digest);
            if (_pending.TryGetValue(key, out var computation))
            {
                Interlocked.Increment(ref computation.Waiting);
                return computation;
            }

            if (_queue.Count >= MaxQueued)
                return null;
            computation = new Computation(login, digest, password.ToArray()) { Waiting = 1 };

            // First: when none can be had at all, nothing is left behind. A new one waits for the lock.
            AddThread_NeedsLock();
            _pending.Add(key, computation);
            _queue.AddLast(computation);
            return computation;
        }
    }

    private void AddThread_NeedsLock()
    {
        if (_threads.Count >= MaxThreads)
            return;
        var thread = new Thread(Run) { IsBackground = true, Name = "passwords" };
        try
        {
            thread.Start();
        }
        catch (Exception failure) when (failure is OutOfMemoryException or ThreadStartException && _threads.Count > 0)
        {
            // The system allows no further one: those that there are go on.
            return;
        }

        _threads.Add(thread);
    }

    private void Run()
    {
        // An event loop on the same processor must not wait for its slice to end.
        ThreadCalls.GoBehindOthers();
        Computation? last = null;
        while (Next(last) is { } computation)
        {
            last = computation;
            var verdict = LoginVerdict.Failed;
            try
            {
                verdict = Judge(computation);
            }
            catch (Exception failure)
            {
                Log.Failed(logger, failure, CryptCalls.Library);
            }

            CryptographicOperations.ZeroMemory(computation.Password);
            lock (_lock)
                _pending.Remove(computation.Key);
            computation.Answer.TrySetResult(verdict);
        }
    }

    /// <summary>The next one that somebody still waits for; null: there is none for now, and this thread is over.</summary>
    /// <param name="done">What the thread has computed just now.</param>
    private Computation? Next(Computation? done)
    {
        lock (_lock)
        {
            if (done is not null)
                _running.Remove(done);
            for (var node = _queue.First; node is not null;)
            {
                var (next, computation) = (node.Next, node.Value);
                if (Volatile.Read(ref computation.Waiting) == 0)
                {
                    _queue.Remove(node);
                    _pending.Remove(computation.Key);
                }
                else if (MayRun_NeedsLock(computation.Login.Place))
                {
                    _queue.Remove(node);
                    _running.Add(computation);

                    // What waited for the one that is done may be more than one.
                    if (done is not null && _queue.Count > 0)
                        AddThread_NeedsLock();
                    return computation;
                }

                node = next;
            }

            // Those that are left wait for one that is being computed, whose thread looks here again.
            _threads.Remove(Thread.CurrentThread);
            return null;
        }
    }

    /// <summary>Also when none may be wrong any more: that is said at once.</summary>
    private bool MayRun_NeedsLock(LoginPlace place)
    {
        int left = failures.LeftOf(place);
        return left == 0 || left > _running.Count(one => FailedLogins.AreOneClient(one.Login.Place, place));
    }

    private LoginVerdict Judge(Computation computation)
    {
        var login = computation.Login;

        // Asked again: those in front of it may have been too many.
        if (failures.IsClientOver(login.Place) || failures.IsUserOver(login.Place, login.Name))
            return LoginVerdict.TooMany;
        Interlocked.Increment(ref _computed);
        bool isRight = CryptCalls.Matches(computation.Password, login.User.Hash!) && login.IsKnown;
        if (!isRight)
        {
            failures.Take(login.Place, login.Name);
            return LoginVerdict.Wrong;
        }

        Span<byte> digest = stackalloc byte[Digest.Bytes];
        computation.Digest.CopyTo(digest);
        login.User.Remember(digest);
        return LoginVerdict.Right;
    }

    /// <summary>A hash to compute, and who waits for it.</summary>
    private sealed class Computation(Login login, Digest digest, byte[] password)
    {
        // How many wait. Joined under the lock; whoever finds nobody before it is computed drops it.
        public int Waiting;

        public Login Login { get; } = login;

        public Digest Digest { get; } = digest;

        public (ListenerUser User, Digest Digest) Key => (Login.User, Digest);

        public byte[] Password { get; } = password;

        public TaskCompletionSource<LoginVerdict> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    private static partial class Log
    {
        [LoggerMessage(AuthenticationEventIds.HashFailed, LogLevel.Error, "A password cannot be verified: {Library} failed")]
        public static partial void Failed(ILogger logger, Exception failure, string library);
    }
}
