using System.Text;
using TorBalancer.Configuration.Syntax;
using TorBalancer.Protocols.Http;

namespace TorBalancer.Fuzz.Targets;

/// <summary>A line of a file of users (htpasswd), a list of them, and the same bytes as the value of Proxy-Authorization.</summary>
internal static class UsersTarget
{
    public static void Check(byte[] input)
    {
        if (ConfEncoding.TryDecode(input, out string text, out _))
        {
            CheckLine(text, isLiteral: true);
            CheckLine(text, isLiteral: false);
            Credentials.List.Parse(text, default, out _);
        }

        if (!BasicCredentials.TryParse(input, out var credentials) || credentials is null)
            return;
        byte[] again = [.. "Basic "u8, .. Encoding.ASCII.GetBytes(Convert.ToBase64String(Encoding.Latin1.GetBytes(
            $"{credentials.User}:{credentials.Password}")))];
        Expect.That(BasicCredentials.TryParse(again, out var same), "credentials that were read can be written");
        Expect.Same(same, credentials, "credentials that were written are the same when they are read");
        Expect.That(!credentials.User.Contains(':'), "a user name ends at the first colon");
    }

    private static void CheckLine(string text, bool isLiteral)
    {
        if (Credentials.Parse(text, out var credential, isLiteral) is { } problem)
        {
            Expect.That(text.Length < 16 || !problem.ToString().Contains(text, StringComparison.Ordinal), "no message repeats a line");
            return;
        }

        Expect.That(credential.User.Length > 0 && credential.Password.Length > 0, "a user has a name and a password");
        Expect.That(!credential.User.Contains(':'), "a name ends at the first colon");
        Expect.That(Encoding.UTF8.GetByteCount(credential.User) <= 255, "a name fits into RFC 1929");
        Expect.That(Encoding.UTF8.GetByteCount(credential.Password) <= 255, "a password fits into RFC 1929");
        Expect.That(
            !PasswordHash.IsWhole(credential.Password) || PasswordHash.KindOf(credential.Password) is ['$', .., '$'], "a hash has a kind");
        string line = $"{credential.User}:{credential.Password}";
        Expect.That(Credentials.Parse(line, out var again, isLiteral) is null, "a user who was read can be written");
        Expect.Same((again.User, again.Password), (credential.User, credential.Password), "a user who was written is the same");
    }
}
