using System.Net;
using TorBalancer.Transport;

namespace TorBalancer.Server.Limits;

/// <summary>
/// The clients of one listener that have connections, or had so many a moment ago that they must be remembered. Bounded: who has nothing
/// open is forgotten when its bucket is full again, the one that has been idle for longest when the table is full. When every
/// client in a full table has connections, those that are not in it share one account: no limit is ever passed, and newcomers may be
/// refused for each other.
/// </summary>
/// <param name="capacity">Clients, about 130 bytes each.</param>
internal sealed class ClientTable(TimeProvider time, int capacity = ClientTable.DefaultCapacity)
{
    /// <summary>Clients that are known at one time.</summary>
    public const int DefaultCapacity = 65_536;

    /// <summary>Connections of one client that wait to be told of their refusal; further ones are cut.</summary>
    public const int MostRefused = 8;

    private readonly Lock _lock = new();
    private readonly Dictionary<ClientKey, ClientAccount> _known = [];
    private ClientAccount? _others;

    // Those that have nothing open, the one that has been idle for longest first.
    private ClientAccount? _firstIdle, _lastIdle;

    /// <summary>Clients that are known.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
                return _known.Count;
        }
    }

    /// <summary>Lets a connection of this client in, or not.</summary>
    /// <param name="account">
    /// Whose <see cref="ClientAccount.Leave"/> is to be called when it has ended; null: it is refused, and cannot even be told so.
    /// </param>
    public LimitVerdict Enter(IPAddress address, ListenerLimitModel limits, out ClientAccount? account)
    {
        var key = ClientKey.Of(address);
        long now = time.GetTimestamp();
        lock (_lock)
        {
            account = Find_NeedsLock(key);
            LimitVerdict verdict = default;
            if (limits.MaxConnectionsPerClient > 0 && account.Active >= limits.MaxConnectionsPerClient)
                verdict = new LimitVerdict(LimitKind.MaxConnectionsPerClient);
            else if (!account.Bucket.TryTake(limits.ConnectionRatePerClient, now, time, out var wait))
                verdict = new LimitVerdict(LimitKind.ConnectionRatePerClient, wait);
            if (limits.BandwidthPerClient > 0)
                (account.Bandwidth ??= new BandwidthBucket(time)).Rate = limits.BandwidthPerClient;
            if (verdict.Refused is null)
                account.Active++;
            else if (account.Refused < MostRefused)
                account.Refused++;
            else
                account = null;
            return verdict;
        }
    }

    /// <summary>From now on each of those that are limited has so many bytes a second; 0: they are not limited any more.</summary>
    public void SetBandwidth(long rate)
    {
        lock (_lock)
        {
            foreach (var account in _known.Values)
                account.Bandwidth?.Rate = rate;
            _others?.Bandwidth?.Rate = rate;
        }
    }

    /// <inheritdoc cref="ClientAccount.Leave"/>
    public void Leave(ClientAccount account, bool wasRefused)
    {
        long now = time.GetTimestamp();
        lock (_lock)
        {
            if (wasRefused)
                account.Refused--;
            else
                account.Active--;
            if (account == _others || account.Active + account.Refused > 0)
                return;
            if (account.IsSettled(now))
            {
                _known.Remove(account.Key);
                return;
            }

            AddIdle_NeedsLock(account);

            // Two for one: what was put aside goes faster than it comes.
            for (int i = 0; i < 2 && _firstIdle is { } oldest && oldest.IsSettled(now); i++)
                Forget_NeedsLock(oldest);
        }
    }

    private ClientAccount Find_NeedsLock(ClientKey key)
    {
        if (_known.TryGetValue(key, out var account))
        {
            if (account.IsIdle)
                RemoveIdle_NeedsLock(account);
            return account;
        }

        if (_known.Count >= capacity)
        {
            if (_firstIdle is not { } oldest)
                return _others ??= new ClientAccount(this, default);
            Forget_NeedsLock(oldest);
        }

        account = new ClientAccount(this, key);
        _known.Add(key, account);
        return account;
    }

    private void Forget_NeedsLock(ClientAccount account)
    {
        RemoveIdle_NeedsLock(account);
        _known.Remove(account.Key);
    }

    private void AddIdle_NeedsLock(ClientAccount account)
    {
        account.IsIdle = true;
        account.Previous = _lastIdle;
        if (_lastIdle is null)
            _firstIdle = account;
        else
            _lastIdle.Next = account;
        _lastIdle = account;
    }

    private void RemoveIdle_NeedsLock(ClientAccount account)
    {
        if (account.Previous is { } previous)
            previous.Next = account.Next;
        else
            _firstIdle = account.Next;
        if (account.Next is { } next)
            next.Previous = account.Previous;
        else
            _lastIdle = account.Previous;
        account.Previous = account.Next = null;
        account.IsIdle = false;
    }
}
