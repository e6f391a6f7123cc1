using TorBalancer.Transport;

namespace TorBalancer.Server.Limits;

/// <summary>
/// What one client has of a listener. Everything in here but <see cref="Leave"/> is under the lock of its table.
/// </summary>
internal sealed class ClientAccount(ClientTable table, ClientKey key)
{
    public ClientKey Key { get; } = key;

    /// <summary>Connections that were let in and have not ended.</summary>
    public int Active { get; set; }

    /// <summary>Connections that were refused and have not been told so yet.</summary>
    public int Refused { get; set; }

    /// <summary>The table's list of clients that have none.</summary>
    public ClientAccount? Previous { get; set; }

    /// <inheritdoc cref="Previous"/>
    public ClientAccount? Next { get; set; }

    /// <inheritdoc cref="Previous"/>
    public bool IsIdle { get; set; }

    /// <summary>Bytes a second of all its connections; null: they were never limited. Any thread.</summary>
    public BandwidthBucket? Bandwidth { get; set; }

    /// <summary>New connections that it may still open.</summary>
    public ConnectionBucket Bucket;

    /// <summary>True when nothing of what it took is to be remembered.</summary>
    public bool IsSettled(long now) => Bucket.IsFull(now) && Bandwidth?.IsFull(now) != false;

    /// <summary>A connection that was let in, or refused, has ended. From any thread.</summary>
    /// <param name="wasRefused">Which of the two.</param>
    public void Leave(bool wasRefused) => table.Leave(this, wasRefused);
}
