using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Text;
using TorBalancer.Configuration.Options;

namespace TorBalancer.Server.Limits;

/// <summary>
/// The users of all listeners: their accounts, and what [User:name] says of them. A user is its name: the same name on two listeners is
/// one user. Only users that a listener knows come here, so there are no more than are configured.
/// </summary>
/// <param name="users">The sections, as they are now.</param>
internal sealed class UserTable(Live<IList<UserOptions>> users, TimeProvider time)
{
    private readonly ConcurrentDictionary<string, UserAccount> _accounts = new(StringComparer.Ordinal);
    private readonly Live<FrozenDictionary<string, UserOptions>> _sections = users.Select(static all => all.ToFrozenDictionary(
        static user => user.Name, StringComparer.Ordinal));

    /// <summary>Users that have connected since the start, by name.</summary>
    public IEnumerable<UserAccount> All => _accounts.Values.OrderBy(static account => account.Name, StringComparer.Ordinal);

    /// <summary>Users with a section of their own, in the order of the file.</summary>
    public IEnumerable<UserOptions> Sections => users.Value;

    /// <summary>True for a user with a section of its own.</summary>
    public bool HasSection(string name) => _sections.Value.ContainsKey(name);

    /// <summary>Null: it has not connected yet.</summary>
    public UserAccount? Find(string name) => _accounts.GetValueOrDefault(name);

    public UserAccount Of(string name) => _accounts.GetOrAdd(name, static (name, time) => new UserAccount(name, time), time);

    /// <summary>What holds for a user that comes by a listener.</summary>
    /// <param name="listener">Null: the listener limits nobody.</param>
    public UserLimits LimitsOf(string name, ListenerLimitModel? listener)
    {
        var own = _sections.Value.GetValueOrDefault(name);
        return new UserLimits(
            own?.MaxConnections ?? listener?.MaxConnectionsPerUser ?? 0, own?.ConnectionRate ?? listener?.ConnectionRatePerUser ?? default);
    }

    /// <summary>A name as people read it, from one as the parsers give it.</summary>
    public static string Printable(string name) => Encoding.UTF8.GetString(Encoding.Latin1.GetBytes(name));
}
