using System.Text;

namespace TorBalancer.Authentication;

/// <summary>Users and what proves who they are; which they are never changes.</summary>
internal sealed class UserList
{
    private readonly Dictionary<string, ListenerUser> _byName;
    private readonly ListenerUser[] _all;

    /// <param name="users">Names and secrets as configured.</param>
    public UserList(IEnumerable<KeyValuePair<string, string>> users)
    {
        // Names as the parsers give them, one character for each byte of UTF-8. A name beyond ASCII would otherwise never be met, and with
        // Auth = optional pass for a stranger's.
        _byName = users.ToDictionary(
            static user => Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(user.Key)), static user => new ListenerUser(user.Value),
            StringComparer.Ordinal);
        _all = [.. _byName.Values];
    }

    /// <summary>By name, one character for each byte of UTF-8.</summary>
    public IReadOnlyDictionary<string, ListenerUser> ByName => _byName;

    /// <summary>
    /// The user whose secret is tried for a name that nobody has, so that the answer takes as long as for somebody; always the same one for
    /// a name. Null: there are no users.
    /// </summary>
    public ListenerUser? StandInFor(string name) =>
        _all.Length == 0 ? null : _all[(uint)string.GetHashCode(name, StringComparison.Ordinal) % (uint)_all.Length];

    /// <summary>Who has not changed since that list need not be verified again.</summary>
    public void RememberAs(UserList before)
    {
        foreach (var (name, user) in _byName)
        {
            if (before._byName.TryGetValue(name, out var known))
                user.RememberAs(known);
        }
    }
}
