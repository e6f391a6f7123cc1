using System.Collections.Concurrent;
using System.Security.Cryptography;

namespace TorBalancer.TorControl.Relays;

/// <summary>
/// What a dialer asks before it sends an isolation token to a worker: a token whose circuit broke there goes under
/// another password from then on, so that tor takes a new circuit, and streams on the old one live on.
/// </summary>
internal interface ICircuitEpochs
{
    /// <summary>How often the circuits of this token were given up at that worker; 0: never.</summary>
    long EpochOf(string workerId, string tokenPassword);

    /// <summary>The password to send: <paramref name="tokenPassword"/> itself in epoch 0. One look into a table, no lock.</summary>
    string PasswordFor(string workerId, string tokenPassword);
}

/// <inheritdoc />
/// <param name="capacity">
/// Tokens that are remembered; the oldest are forgotten first. A forgotten one goes back to its first password, whose
/// circuit tor has retired by then (MaxCircuitDirtiness, 10 min).
/// </param>
internal sealed class CircuitEpochs(int capacity = 4096) : ICircuitEpochs
{
    private readonly Lock _lock = new();
    private readonly ConcurrentDictionary<(string Worker, string Password), Epoch> _byToken = new();
    private readonly ConcurrentDictionary<(string Worker, string Password), string> _tokenOf = new();
    private readonly Queue<(string Worker, string Password)> _order = new();
    private volatile bool _any;

    public int Count => _byToken.Count;

    public long EpochOf(string workerId, string tokenPassword) =>
        _any && _byToken.TryGetValue((workerId, tokenPassword), out var epoch) ? epoch.Number : 0;

    public string PasswordFor(string workerId, string tokenPassword) =>
        _any && _byToken.TryGetValue((workerId, tokenPassword), out var epoch) ? epoch.Password : tokenPassword;

    /// <summary>The token that a password which tor reports stands for.</summary>
    public string TokenOf(string workerId, string sentPassword) =>
        _any && _tokenOf.TryGetValue((workerId, sentPassword), out string? token) ? token : sentPassword;

    /// <summary>True when nothing new is sent under that password any more.</summary>
    public bool IsRetired(string workerId, string sentPassword) =>
        _any && PasswordFor(workerId, TokenOf(workerId, sentPassword)) != sentPassword;

    /// <summary>From now on the token that went under <paramref name="sentPassword"/> goes under a new one.</summary>
    public long Advance(string workerId, string sentPassword)
    {
        lock (_lock)
        {
            string token = TokenOf(workerId, sentPassword);
            var key = (workerId, token);
            long number = 1;
            if (_byToken.TryGetValue(key, out var old))
            {
                number = old.Number + 1;
                _tokenOf.TryRemove((workerId, old.Password), out _);
            }
            else
            {
                if (_byToken.Count >= capacity)
                    Forget_NeedsLock();
                _order.Enqueue(key);
            }

            // As long as a token and as random: tor's log and control port tell nothing by it.
            string password = RandomNumberGenerator.GetHexString(token.Length, lowercase: true);
            _tokenOf[(workerId, password)] = token;
            _byToken[key] = new Epoch(number, password);
            _any = true;
            return number;
        }
    }

    /// <summary>A copy of all, the oldest first.</summary>
    public IReadOnlyList<CircuitEpochState> Export()
    {
        lock (_lock)
        {
            return
            [
                .. _order.Where(_byToken.ContainsKey)
                    .Select(key => new CircuitEpochState(key.Worker, key.Password, _byToken[key].Number, _byToken[key].Password)),
            ];
        }
    }

    /// <summary>Goes on with what another process of ours knew. For a table that is empty yet.</summary>
    public void Adopt(IReadOnlyList<CircuitEpochState> states)
    {
        lock (_lock)
        {
            foreach (var state in states)
            {
                var key = (state.WorkerId, state.Token);
                _order.Enqueue(key);
                _byToken[key] = new Epoch(state.Number, state.Password);
                _tokenOf[(state.WorkerId, state.Password)] = state.Token;
            }

            _any = !_byToken.IsEmpty;
        }
    }

    private void Forget_NeedsLock()
    {
        if (_order.TryDequeue(out var oldest) && _byToken.TryRemove(oldest, out var epoch))
            _tokenOf.TryRemove((oldest.Worker, epoch.Password), out _);
    }

    private sealed record Epoch(long Number, string Password);
}

/// <summary>What has become of one token at one worker.</summary>
/// <param name="Number">How often its circuits were given up.</param>
/// <param name="Password">What is sent instead of it.</param>
internal sealed record CircuitEpochState(string WorkerId, string Token, long Number, string Password);
