namespace TorBalancer.Configuration.Options;

/// <summary>What separates circuits: connections whose keys differ never share one.</summary>
public enum IsolationMode : byte
{
    /// <summary>Listener, client address and the client's own user name and password; what tor itself keeps apart.</summary>
    Client,

    /// <summary>User name and password only: one user on several machines shares circuits.</summary>
    User,

    /// <summary>As client, and also the target host.</summary>
    Destination,

    /// <summary>Every connection gets circuits of its own.</summary>
    Connection,

    /// <summary>Nothing: all share. Only a session that a client asks for by name is still kept apart.</summary>
    None,
}

/// <summary>What mode sticky takes as its key.</summary>
public enum StickyBy : byte
{
    /// <summary>The session if one is named, else the user name, else the client's address.</summary>
    Auto,
    User,
    Client,
    Destination,
}

/// <summary>[Balancing]: how a worker is picked and what keeps circuits apart.</summary>
public sealed class BalancingOptions
{
    /// <summary>One of the selection policies' names. Default round_robin.</summary>
    public string Mode { get; set; } = "round_robin";

    public StickyBy StickyBy { get; set; }

    public IsolationMode Isolation { get; set; }

    /// <summary>
    /// The file of the key that isolation tokens are made with: auto (systemd's credential, else in the state directory, made when there is
    /// none) or a path. Default auto.
    /// </summary>
    public string KeyFile { get; set; } = "auto";

    /// <summary>What happens when no worker is eligible. Default fail_fast.</summary>
    public PanicMode Panic { get; set; }

    /// <summary>How long a worker that could not be reached is passed over. Default 2 s; zero: not at all.</summary>
    public TimeSpan PassOver { get; set; } = TimeSpan.FromSeconds(2);
}

/// <summary>The last resort when no worker is eligible.</summary>
public enum PanicMode : byte
{
    /// <summary>Answer at once: 503 with Retry-After, or SOCKS code 03.</summary>
    FailFast,

    /// <summary>Try the workers that health holds back; they may be better than their reputation.</summary>
    TryAll,
}
