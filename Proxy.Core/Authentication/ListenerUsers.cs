namespace TorBalancer.Authentication;

/// <summary>
/// The users of a listener as they are now, for whoever began when they were others: a connection lives for days, and a user who is gone
/// must not get in by it.
/// </summary>
/// <param name="users">Names and secrets as configured.</param>
internal sealed class ListenerUsers(IEnumerable<KeyValuePair<string, string>> users)
{
    private volatile UserList _list = new(users);

    // The listener's first one, which holds the list for all that came after it: so a list that was replaced is kept by nobody.
    private volatile ListenerUsers? _first;

    /// <summary>The list that is in force.</summary>
    public UserList Current => (_first ?? this)._list;

    /// <summary>From now on those are in force, here and there. One change at a time.</summary>
    public void ReplaceBy(ListenerUsers next)
    {
        var first = _first ?? this;

        // Ports of one listener share their users, and each says so.
        if (ReferenceEquals(next._first ?? next, first))
            return;
        var list = next._list;
        list.RememberAs(first._list);
        first._list = list;
        next._first = first;
    }
}
