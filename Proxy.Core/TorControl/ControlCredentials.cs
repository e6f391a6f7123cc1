namespace TorBalancer.TorControl;

/// <summary>
/// What we have to get into a control port. Both may be missing: tor then tells where its cookie is, or asks for nothing.
/// </summary>
/// <param name="CookiePath">The cookie file; null: the path that tor itself names.</param>
/// <param name="Password">The password of HashedControlPassword; null: none.</param>
internal sealed record ControlCredentials(string? CookiePath = null, string? Password = null)
{
    public static readonly ControlCredentials None = new();

    /// <summary>As a configuration has them, where empty is none.</summary>
    public static ControlCredentials Of(string cookie, string password) =>
        new(cookie.Length > 0 ? cookie : null, password.Length > 0 ? password : null);

    /// <summary>Never prints the password.</summary>
    public override string ToString() => $"(cookie {CookiePath ?? "where tor says"}, {(Password is null ? "no password" : "a password")})";
}
