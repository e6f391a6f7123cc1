using System.Text;
using TorBalancer.Balancing;
using TorBalancer.Protocols;

namespace TorBalancer.Fuzz.Targets;

/// <summary>
/// Parameters in user names and passwords: a user name, and behind a NUL a password. With nobody known, and with users whose names are
/// parts of each other.
/// </summary>
internal static class UserNameTarget
{
    private const string Marker = "geheim";

    private static readonly UserParametersParser Parser = new(SelectionPolicyNames.All);

    private static readonly Dictionary<string, string> Users = new(StringComparer.Ordinal)
    {
        ["joe"] = "",
        ["user-joe"] = "",
        ["joe-session"] = "",
        ["a.b"] = "",
        ["user"] = "",
    };

    public static void Check(byte[] input)
    {
        string[] parts = Encoding.Latin1.GetString(input).Split('\0', 2);
        var credentials = new ClientCredentials(parts[0], parts.Length > 1 ? parts[1] : "");
        Check(credentials, null, 0);

        int secret = UserParametersParser.SecretLength(credentials.Password);
        Expect.That(secret >= 0 && secret <= credentials.Password.Length, "a secret is a part of the password");
        if (UserParametersParser.FindKnownUser(credentials.User, Users) is not { } known)
            return;
        Expect.That(Users.ContainsKey(known), "a known user is one of them");
        Expect.That(credentials.User.Contains(known, StringComparison.Ordinal), "a known user's name is a part of the user name");
        Check(credentials, known, 0);
        Check(credentials, known, secret);
    }

    private static void Check(ClientCredentials credentials, string? known, int secretLength)
    {
        var error = Parser.Parse(credentials, known, out var parameters, secretLength);
        Expect.Same(parameters.KnownUser, known, "whose the credentials are stays so");
        string secret = parameters.SecretOf(credentials);
        Expect.That(credentials.Password.StartsWith(secret, StringComparison.Ordinal), "a secret is what a password begins with");
        Expect.That(secret.Length >= Math.Min(secretLength, credentials.Password.Length), "the known secret is not looked into");
        if (error.IsError)
        {
            Expect.That(error.Detail is { Length: > 0 }, "an error says what is allowed");
            Expect.That(!error.Detail!.Contains(Marker, StringComparison.OrdinalIgnoreCase), "an error repeats nothing that was sent");
            Expect.That(!error.Detail.Any(char.IsControl), "an error is one line of text");
            return;
        }

        Expect.That(parameters.Country is null or { Length: 2 }, "a country has two letters");
        Expect.That(parameters.SessionLifetime is not { } life || (life > TimeSpan.Zero && life <= TimeSpan.FromDays(1)), "1 s to 24 h");
        Expect.That(parameters.RotateAfterUses is null or (>= 1 and <= 1_000_000), "1 to 1000000 uses");
        Expect.That(parameters.Mode is null || SelectionPolicyNames.All.Contains(parameters.Mode), "a mode is one of ours");
        Expect.That(
            parameters.Session is not null || (parameters.SessionLifetime is null && parameters.RotateAfterUses is null),
            "life-time and rotation are a session's");
    }
}
