using System.Globalization;
using TorBalancer.Benchmarks.SideBySide.Load;

namespace TorBalancer.Benchmarks.Attacks.Bots;

/// <summary>Clients that try one password after the other, each over a connection of its own.</summary>
internal sealed class PasswordCrowd(BotTarget target, int size) : Crowd(target, size)
{
    private int _number;

    protected override bool Begin(int fd)
    {
        byte[] guess =
        [
            5, 1, 2,
            .. HandshakeScript.Credentials(AttackUsers.Victim, (++_number).ToString(CultureInfo.InvariantCulture)),
        ];
        return Send(fd, guess) == guess.Length;
    }
}
