using TorBalancer.Configuration.Options;

namespace TorBalancer.Admin.Reload;

/// <summary>
/// Addresses beside the proxy's listeners that a reload may change: they are bound before anything is put into force, so that a reload
/// that cannot have one leaves everything as it was.
/// </summary>
internal interface IReloadBinding
{
    /// <summary>
    /// Binds what these options want and is not bound yet. Throws <see cref="ReloadBindingException"/>; then everything is as it was.
    /// </summary>
    IPreparedBinding Prepare(TorBalancerOptions next);
}

/// <summary>What was bound for a reload: one of the two is called, once.</summary>
internal interface IPreparedBinding
{
    /// <summary>Puts it into force and closes what nobody wants any more. Cannot fail.</summary>
    void Apply();

    /// <summary>Everything is as it was before.</summary>
    void Undo();
}

/// <summary>An address could not be bound.</summary>
/// <param name="section">Of the key that names it.</param>
/// <param name="key">The key.</param>
/// <param name="message">What cannot be had, and why.</param>
internal sealed class ReloadBindingException(string section, string key, string message, Exception inner) : Exception(message, inner)
{
    public string Section { get; } = section;

    public string Key { get; } = key;
}
