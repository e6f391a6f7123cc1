using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Text;
using TorBalancer.Configuration.Options;
using TorBalancer.Connecting;

namespace TorBalancer.Server.Limits;

/// <summary>
/// The users of all listeners: their accounts, and what [User:name] says of them. A user is its name: the same name on two listeners is
/// one user. Only users that a listener knows come here, so there are no more than are configured.
/// </summary>
internal sealed class UserTable
{
    private readonly ConcurrentDictionary<string, UserAccount> _accounts = new(StringComparer.Ordinal);
    private readonly Live<IList<UserOptions>> _users;
    private readonly Live<FrozenDictionary<string, Section>> _sections;
    private readonly TimeProvider _time;

    /// <param name="users">The sections, as they are now.</param>
    public UserTable(Live<IList<UserOptions>> users, TimeProvider time)
    {
        (_users, _time) = (users, time);
        _sections = users.Select(static all => all.ToFrozenDictionary(
            static user => user.Name, static user => new Section(user, UserRights.Of(user)), StringComparer.Ordinal));
        users.Follow(SetBandwidths);
    }

    /// <summary>Users that have connected since the start, by name.</summary>
    public IEnumerable<UserAccount> All => _accounts.Values.OrderBy(static account => account.Name, StringComparer.Ordinal);

    /// <summary>What [User:name] says, in the order of the file.</summary>
    public IEnumerable<UserOptions> Sections => _users.Value;

    /// <summary>True for a user with a section of its own.</summary>
    public bool HasSection(string name) => _sections.Value.ContainsKey(name);

    /// <summary>Null: it has not connected yet.</summary>
    public UserAccount? Find(string name) => _accounts.GetValueOrDefault(name);

    public UserAccount Of(string name) => _accounts.GetOrAdd(name, static (name, time) => new UserAccount(name, time), _time);

    /// <summary>What holds for a user that comes by a listener.</summary>
    /// <param name="listener">Null: the listener limits nobody.</param>
    public UserLimits LimitsOf(string name, ListenerLimitModel? listener)
    {
        var own = _sections.Value.GetValueOrDefault(name)?.Options;
        return new UserLimits(
            own?.MaxConnections ?? listener?.MaxConnectionsPerUser ?? 0, own?.ConnectionRate ?? listener?.ConnectionRatePerUser ?? default,
            own?.Bandwidth ?? (listener is { BandwidthPerUser: > 0 } ? listener.BandwidthPerUser : null));
    }

    /// <summary>What a user may ask for; null: anything.</summary>
    /// <param name="name">Null: it is nobody that a listener knows.</param>
    public UserRights? RightsOf(string? name) => name is null ? null : _sections.Value.GetValueOrDefault(name)?.Rights;

    /// <summary>A name as people read it, from one as the parsers give it.</summary>
    public static string Printable(string name) => Encoding.UTF8.GetString(Encoding.Latin1.GetBytes(name));

    /// <summary>For connections that there are; what its listener says, a user gets with its next one.</summary>
    private void SetBandwidths(IList<UserOptions> users)
    {
        foreach (var user in users)
        {
            if (user.Bandwidth is { } rate && Find(user.Name) is { } account)
                account.Bandwidth.Rate = rate;
        }
    }

    private sealed record Section(UserOptions Options, UserRights? Rights);
}
