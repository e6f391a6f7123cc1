namespace TorBalancer.Primitives;

/// <summary>
/// A failure as a value: its cause, and details for people. Details are logged: they hold neither what names the client nor
/// anything that it sent (a part of a password may stand where a host or a parameter is expected); what the operator configured
/// they may hold.
/// </summary>
/// <param name="Cause">What went wrong; decides the reply, the retry and whom it counts against.</param>
/// <param name="Detail">One short sentence, or null.</param>
public readonly record struct ProxyError(FailureCause Cause, string? Detail = null)
{
    public static ProxyError None => default;

    /// <summary>Seconds until another try may succeed; 0: nobody knows.</summary>
    public ushort RetryAfter { get; init; }

    public bool IsError => Cause != FailureCause.None;

    public FailureSide Side => Cause.Info().Side;

    public FailureStage Stage => Cause.Info().Stage;

    public RetryRule Retry => Cause.Info().Retry;

    public string Word => Cause.Word();

    public override string ToString() => Detail is null ? Word : $"{Word}: {Detail}";
}
